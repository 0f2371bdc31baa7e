"""Report pages on disk, where the web server finds them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from nightfold.errors import LakeError
from resources.commit import replace_file


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was written."""

    path: Path
    digest: str


def write_report(folder: Path, name: str, content: bytes) -> Page:
    """Put a page, or a picture, into the report folder in one atomic step.

    Raises
    ------
    LakeError
        If the disk refuses it; an earlier page stays as it was.
    """
    path = folder / name
    try:
        replace_file(path, content, path.with_name(f".{path.name}.{os.getpid()}.part"))
    except OSError as error:
        raise LakeError(f"{path} could not be written: {error.strerror}; the page before it is untouched.") from error
    return Page(path, hashlib.sha256(content).hexdigest()[:16])
