"""Pickles: whether some bytes are one or hold one, and what makes or reads one while something runs."""

import bz2
import gzip
import lzma
import marshal
import pickle
import pickletools
import sys
import threading
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from types import FrameType
from typing import Any

_CALLS = frozenset({"dump", "dumps", "load", "loads"})
_LIBRARIES = frozenset({"cloudpickle", "dill", "joblib", "pickle"})
_UNPACK: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZ": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"x": zlib.decompress,
}
_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_CODES = frozenset(each.code for each in pickletools.opcodes)
_ARRAY = b"\x93NUMPY"
_HEADER = 4096
"""Bytes in which the header of an array says what it holds."""


def begins_like_pickle(start: bytes) -> bool:
    """Tell whether bytes begin as pickles of protocol 2 to 5 do: with the protocol, and a code behind it.

    Examples
    --------
    >>> begins_like_pickle(pickle.dumps([1.0]))
    True

    A header of 640 bytes in a safetensors file begins alike, but no code is 0:

    >>> begins_like_pickle((640).to_bytes(8, "little"))
    False
    """
    return start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05" and start[2:3].decode("latin1") in _CODES


def holds_pickle(content: bytes) -> bool:
    """Tell whether bytes are a pickle, or an archive, compressed file or NumPy array that holds one.

    Parameters
    ----------
    content
        A whole file. Nothing in it is executed.

    Examples
    --------
    >>> holds_pickle(gzip.compress(pickle.dumps({"a": 1}, protocol=0))), holds_pickle(b'{"a": 1}')
    (True, False)
    """
    is_objects = content.startswith(_ARRAY) and b"|O'" in content[:_HEADER]
    return (
        is_objects or begins_like_pickle(content[:3]) or _is_whole(content) or any(map(holds_pickle, _within(content)))
    )


@contextmanager
def pickling() -> Iterator[list[str]]:
    """Gather what makes or reads pickles, in this thread and those it starts.

    The calls are seen however their names were imported: pickle in C and in Python, marshal, joblib, dill, cloudpickle,
    ``numpy.load(allow_pickle=True)`` and ``numpy.save`` of objects. What Python itself does to import a module does not
    count.

    Yields
    ------
    list of str
        What was called, each once, the outermost first.
    """
    found: list[str] = []

    def see(frame: FrameType, event: str, called: Any) -> None:
        name = _called(frame) if event == "call" else _called_in_c(frame, called) if event == "c_call" else None
        if name and name not in found:
            found.append(name)

    before, before_threads = sys.getprofile(), threading.getprofile()
    threading.setprofile(see)
    sys.setprofile(see)
    try:
        yield found
    finally:
        sys.setprofile(before)
        threading.setprofile(before_threads)


def _called(frame: FrameType) -> str | None:
    """Name a function of Python that begins, where it is one of those looked for."""
    module, function = str(frame.f_globals.get("__name__")), frame.f_code.co_name
    library = module.partition(".")[0]
    if library in _LIBRARIES and function.lstrip("_") in _CALLS:
        return f"{library}.{frame.f_code.co_qualname}"
    if library == "numpy" and function == "load" and frame.f_locals.get("allow_pickle"):
        return "numpy.load(allow_pickle=True)"
    if library == "numpy" and function == "write_array" and frame.f_locals["array"].dtype.hasobject:
        return "numpy.save of objects"
    return None


def _called_in_c(caller: FrameType, called: Any) -> str | None:
    """Name a function of C that is called, where it is one of those looked for."""
    if called.__name__ not in _CALLS:
        return None
    owner = called.__self__
    if isinstance(owner, pickle.Pickler | pickle.Unpickler):
        return f"pickle.{'Pickler' if isinstance(owner, pickle.Pickler) else 'Unpickler'}.{called.__name__}"
    if owner is marshal and not caller.f_code.co_filename.startswith("<frozen "):
        return f"marshal.{called.__name__}"
    return f"pickle.{called.__name__}" if called.__module__ == "_pickle" else None


def _is_whole(content: bytes) -> bool:
    """Tell whether bytes are pickles of any protocol, end to end."""
    file = BytesIO(content)
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in what is no text of a pickle
            while file.tell() < len(content):
                pickletools.dis(file, out=_Nowhere())
    except (ValueError, IndexError):
        return False
    return bool(content)


def _within(content: bytes) -> Iterator[bytes]:
    """Yield what is packed in bytes; nothing where they are no archive, or a damaged one."""
    try:
        if zipfile.is_zipfile(BytesIO(content)):
            with zipfile.ZipFile(BytesIO(content)) as archive:
                yield from [archive.read(member) for member in archive.namelist()]
        else:
            yield from [unpack(content) for start, unpack in _UNPACK.items() if content.startswith(start)]
    except _DAMAGED:
        return


class _Nowhere(StringIO):
    """Keeps nothing of what is written."""

    def write(self, text: str) -> int:
        return len(text)
