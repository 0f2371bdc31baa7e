"""Files replaced in one step: a reader sees the old content or the new, and a killed writer leaves the old."""

import os
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, part: Path) -> None:
    """Write a file beside its place, sync it, and rename it into place.

    Parameters
    ----------
    path
        Where the content shall be; missing folders are made.
    content
        The whole file.
    part
        A name in the same folder, which no other writer uses meanwhile. What a killed writer left there is overwritten.

    Raises
    ------
    OSError
        If the disk refuses; ``path`` holds what it held, or the whole new content, and ``part`` is gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
