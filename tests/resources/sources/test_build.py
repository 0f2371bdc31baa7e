"""From settings to a source."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nightfold.source import parse_source
from resources.sources.build import build_source


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("simulated", "simulated-7"),
        ("folder:bars", "folder-bars-"),
        ("binance_archive", "binance_archive"),
        ("exchange:kraken", "exchange-kraken"),
    ],
)
def test_each_kind_of_settings_makes_its_source_and_nothing_on_disk(text: str, slug: str, tmp_path: Path) -> None:
    source = build_source(parse_source(text), lambda: datetime(2024, 1, 1, tzinfo=UTC), tmp_path)
    assert source.slug.startswith(slug)
    assert list(tmp_path.iterdir()) == []


def test_heavy_libraries_are_loaded_only_when_they_are_used() -> None:
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; import resources.sources.build as b;"
        "from nightfold.source import parse_source;"
        "now = lambda: datetime.now(UTC);"
        "[b.build_source(parse_source(text), now, Path()) for text in ('folder:x', 'exchange:okx')];"
        "print({'ccxt', 'numba', 'httpx'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"


@pytest.mark.parametrize(
    "text", ["binance_archive:ftp://host", "binance_archive:host", "folder", "nonsense", "simulated:8"]
)
def test_settings_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`source` is"):
        parse_source(text)
