"""Machine code is kept for as long as no file of the package changes."""

import hashlib
from pathlib import Path

import pytest

from nightfold.backtest.kernel import compiled, fill, leave, order, run


@pytest.mark.parametrize("function", [run.run, order.trade, leave.leave, fill.fill])
def test_every_function_is_cached_under_a_digest_of_all_files(function: object) -> None:
    files = sorted(Path(compiled.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    assert digest in function._cache._cache_file._index_name
