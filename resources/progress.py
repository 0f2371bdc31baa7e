"""Progress of long runs, as log records: the command line shows them, a server ignores them."""

import logging

PROGRESS = logging.getLogger("nightfold.progress")


def report(asset: str, window: str, who: str, what: object = "") -> None:
    """Say that one partition is stored."""
    PROGRESS.info("%s %s %s %s", asset, window, who, what)
