"""What is recognised as a pickle, and what is seen to make or read one."""

import bz2
import gzip
import io
import json
import lzma
import marshal
import pickle
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from pickle import Pickler, dumps, loads
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from nightfold.models.pickles import begins_like_pickle, holds_pickle, pickling

VALUE = {"slopes": [1.5, -2.0], "names": ("a", "b"), "none": None}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data", content)
    return file.getvalue()


def array(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def arrays(**values: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **values)
    return file.getvalue()


PACKED: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress, zlib.compress, zipped]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("pack", PACKED)
def test_pickles_are_recognised_in_every_protocol_and_packing(pack: Callable[[bytes], bytes], protocol: int) -> None:
    for value in (VALUE, np.arange(3.0), 1.5):
        assert holds_pickle(pack(dumps(value, protocol)))
        assert holds_pickle(pack(zipped(dumps(value, protocol))))


def test_several_pickles_in_a_row_are_recognised() -> None:
    assert holds_pickle(dumps([1], 0) + dumps({"a": 2}, 0))


def test_arrays_of_objects_are_recognised_and_others_are_none() -> None:
    mixed = np.array([(1, {})], dtype=[("number", "<i8"), ("other", "O")])
    assert holds_pickle(array(np.array([{"a": 1}], dtype=object)))
    assert holds_pickle(array(mixed))
    assert holds_pickle(arrays(plain=np.ones(3), other=np.array([None])))
    assert not holds_pickle(array(np.frombuffer(dumps(VALUE, 4), np.uint8)))  # its bytes as numbers
    assert not holds_pickle(arrays(plain=np.ones(3), text=np.array(["a"])))


@pytest.mark.parametrize("header", [640, 896, 1152, 1408])
def test_safetensors_whose_header_has_the_length_of_a_protocol_are_none(header: int) -> None:
    padding = next(
        n for n in range(2000) if save({"a": np.ones(3)}, {"a": "x" * n})[:8] == header.to_bytes(8, "little")
    )
    content = save({"a": np.ones(3)}, {"a": "x" * padding})
    assert content[:1] == b"\x80"
    assert not begins_like_pickle(content[:3])
    assert not holds_pickle(content)


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_json_is_none(value: Any) -> None:
    assert not holds_pickle(json.dumps({"value": value}, indent=1).encode())


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"tree\nversion=v4\n", b"BZh9 but no archive", b"PK\x03\x04 cut", b"x."]
)
def test_what_only_begins_like_something_is_none(content: bytes) -> None:
    assert not holds_pickle(content)


def in_a_thread(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


class Own(pickle.Pickler):
    pass


@pytest.mark.parametrize(
    ("act", "called"),
    [
        (lambda: dumps(VALUE), ["pickle.dumps"]),
        (lambda: pickle.dumps(*(VALUE,)), ["pickle.dumps"]),
        (lambda: pickle.dumps(VALUE, protocol=2), ["pickle.dumps"]),
        (lambda: loads(b"N."), ["pickle.loads"]),
        (lambda: pickle.load(io.BytesIO(b"N.")), ["pickle.load"]),
        (lambda: pickle.dump(VALUE, io.BytesIO()), ["pickle.dump"]),
        (lambda: Pickler(io.BytesIO()).dump(VALUE), ["pickle.Pickler.dump"]),
        (lambda: Own(io.BytesIO()).dump(VALUE), ["pickle.Pickler.dump"]),
        (lambda: pickle.Unpickler(io.BytesIO(b"N.")).load(), ["pickle.Unpickler.load"]),
        (lambda: import_module("_pickle").dumps(VALUE), ["pickle.dumps"]),
        (lambda: vars(pickle)["_dumps"](VALUE), ["pickle._dumps", "pickle._Pickler.dump"]),
        (lambda: list(map(vars(pickle)["_loads"], [b"N."])), ["pickle._loads", "pickle._Unpickler.load"]),
        (lambda: marshal.loads(marshal.dumps([1])), ["marshal.dumps", "marshal.loads"]),
        (lambda: np.save(io.BytesIO(), np.array([None])), ["numpy.save of objects", "pickle.dump"]),
        (lambda: np.load(io.BytesIO(array(np.ones(2))), allow_pickle=True), ["numpy.load(allow_pickle=True)"]),
        (partial(in_a_thread, lambda: dumps(VALUE)), ["pickle.dumps"]),
        (lambda: [dumps(VALUE) for _ in range(3)], ["pickle.dumps"]),
    ],
)
def test_calls_are_seen_and_named(act: Callable[[], object], called: list[str]) -> None:
    with pickling() as calls:
        act()
    assert calls == called


@pytest.mark.parametrize("library", ["cloudpickle", "dill", "joblib"])
def test_libraries_that_pickle_are_named_first(library: str) -> None:
    act = pytest.importorskip(library).dump
    with pickling() as calls:
        act(VALUE, io.BytesIO())
    assert calls[0] == f"{library}.dump"
    assert any("Pickler.dump" in each for each in calls)


def test_what_makes_and_reads_no_pickle_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_in_watch.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import_module("imported_in_watch")
    del sys.modules["imported_in_watch"]
    with pickling() as calls:
        json.loads(json.dumps(VALUE))
        np.load(io.BytesIO(array(np.ones(2))))
        np.load(io.BytesIO(arrays(a=np.ones(2))))["a"].sum()
        import_module("imported_in_watch")  # read with marshal from what was compiled
    assert calls == []


def test_nothing_is_watched_before_or_after() -> None:
    before = sys.getprofile()
    with pytest.raises(KeyError), pickling() as calls:
        raise KeyError
    dumps(VALUE)
    assert sys.getprofile() is before
    assert calls == []
