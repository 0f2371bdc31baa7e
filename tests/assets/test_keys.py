"""Keys and code versions."""

import pytest

import nightfold
from assets import keys
from assets.keys import asset_key, code_version, data_key
from nightfold.universe import Universe

UNIVERSE = Universe.model_validate(
    {"source": "simulated", "symbols": ["AAAUSDT"], "start": "2024-01-01", "intervals": ["5m", "1h"]}
)


@pytest.mark.parametrize(("interval", "key"), [(None, "bars"), ("5m", "bars"), ("1h", "1h/bars")])
def test_the_default_interval_has_the_plain_key(interval, key):
    assert data_key(UNIVERSE, "bars", interval) == key


def test_a_lake_key_and_its_asset_key_read_the_same():
    assert asset_key("baseline/predictions").path == ["baseline", "predictions"]
    assert asset_key("baseline/predictions").to_user_string() == "baseline/predictions"


def test_a_code_version_follows_the_code_each_setting_and_everything_above():
    usual = code_version("bars", {"a": 1, "b": [1, 2]}, "above")
    assert usual == code_version("bars", {"b": [1, 2], "a": 1}, "above")
    others = [
        code_version("bars labels", {"a": 1, "b": [1, 2]}, "above"),
        code_version("bars", {"a": 2, "b": [1, 2]}, "above"),
        code_version("bars", {"a": 1, "b": [2, 1]}, "above"),
        code_version("bars", {"a": 1, "b": [1, 2]}, "other"),
        code_version("bars", {"a": 1, "b": [1, 2]}, "above", "more"),
        code_version("bars", {"a": 1, "b": [1, 2]}),
    ]
    assert len({usual, *others}) == 7


@pytest.mark.parametrize("code", ["bars", "bars.raw", "forecast bars"])
def test_a_code_version_changes_with_a_line_of_the_source(code, tmp_path, monkeypatch):
    (tmp_path / "bars").mkdir()
    for name in ("bars/raw", "forecast"):
        (tmp_path / f"{name}.py").write_text("WIDTH = 1\n")
    monkeypatch.setattr(nightfold, "__path__", [str(tmp_path)])
    monkeypatch.setattr(keys, "_source", keys._source.__wrapped__)
    before = code_version(code, {})
    assert code_version(code, {}) == before
    (tmp_path / "bars/raw.py").write_text("WIDTH = 2\n")
    assert code_version(code, {}) != before
