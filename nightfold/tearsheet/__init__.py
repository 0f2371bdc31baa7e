"""The report people read: measures of what happened, gates it must pass, charts, and one self-contained page."""
