"""What others take for the same bars: scripts that run in environments of their own, each printing process seconds."""
