"""Report pages on disk, where the web server finds them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from nightfold.errors import LakeError


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was written."""

    path: Path
    digest: str


def write_report(folder: Path, name: str, html: str) -> Page:
    """Put a page into the report folder in one atomic step.

    Raises
    ------
    LakeError
        If the disk refuses it; an earlier page stays as it was.
    """
    path = folder / name
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            file.write(html)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LakeError(f"{path} could not be written: {error.strerror}; the page before it is untouched.") from error
    return Page(path, hashlib.sha256(html.encode()).hexdigest()[:16])
