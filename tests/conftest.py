"""Fixtures that every test may ask for."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of recorded market data that lies beside the project."""
    if not SHARED.is_dir():
        pytest.skip(f"no recorded market data at {SHARED}: tests on real bars need it")
    return SHARED
