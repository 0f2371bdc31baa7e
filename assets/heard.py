"""What splits warn of while something is fitted: said in the run's log and on the console, and kept beside it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from nightfold.splits.fold import LookbackWarning
from resources.progress import PROGRESS

WARNINGS = "warnings.txt"
"""One a line; no file: none."""


@contextmanager
def heard(context: dg.AssetExecutionContext, folder: Path) -> Iterator[None]:
    """Say each warning of a lookback once, and write it into a partition's folder; others pass as they came."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", LookbackWarning)
        yield
    for each in told:
        if not issubclass(each.category, LookbackWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    said = list(dict.fromkeys(str(each.message) for each in told if issubclass(each.category, LookbackWarning)))
    for text in said:
        context.log.warning(text)
        PROGRESS.warning("warning: %s", text)
    if said:
        (folder / WARNINGS).write_text("\n".join(said) + "\n")


def warned(folder: Path) -> dict[str, str]:
    """Read what was written beside a result, as metadata."""
    file = folder / WARNINGS
    return {"warning": file.read_text().strip()} if file.exists() else {}
