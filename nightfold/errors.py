"""What can go wrong, in words: each error also is the builtin a caller would expect."""

from collections.abc import Iterable
from difflib import get_close_matches


class NightfoldError(Exception):
    """Root of every error that Nightfold raises on purpose."""


class ConfigError(NightfoldError, ValueError):
    """A setting is wrong; the message names it, its value, what is allowed and the way out."""


class UnknownNameError(ConfigError):
    """A name is in no catalog; the message offers the close ones, else all, or what lists them where they are many."""

    def __init__(self, kind: str, name: str, known: Iterable[str], listed_by: str | None = None) -> None:
        known = sorted(known)
        close = get_close_matches(name, known, n=3)
        every = f"known: {', '.join(known)}." if listed_by is None else f"`{listed_by}` lists all."
        hint = f"did you mean {' or '.join(close)}?" if close else every
        super().__init__(f"{kind} `{name}` is unknown; {hint}")


class SchemaError(NightfoldError, ValueError):
    """A frame breaks its schema; the message lists every fault, not just the first."""


class BarsError(SchemaError):
    """Bars hold defects that cannot be repaired; the message lists them all."""


class SourceError(NightfoldError, OSError):
    """A market data source gave an answer that cannot be used; asking again would not help."""


class SourceUnavailableError(SourceError, ConnectionError):
    """A market data source could not be reached or asked for patience; a retry may help."""


class LakeError(NightfoldError, OSError):
    """The lake cannot be read or written as asked."""
