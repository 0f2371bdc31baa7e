"""Crises replayed from the command line: a made one end to end, a real one on recorded bars, and what cannot be."""

import json
import re
import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from nightfold.backtest.cost import Costs
from nightfold.backtest.funding import funding_of
from nightfold.errors import ConfigError, NightfoldError
from nightfold.stress import REPLAYS
from nightfold.window import midnight
from pipeline_defs.command import app
from pipeline_defs.replay import find_replays

pytestmark = pytest.mark.xdist_group("line")

SHIPPED = Path(__file__).parents[2] / "configs/stress"
START, FALL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 21, tzinfo=UTC)
SYMBOLS = {"AAAUSDT": 0.7, "BBBUSDT": 0.9}
"""What each price is multiplied by within the first ten hours of the fall."""

RATE = 1e-6
"""What AAAUSDT pays at the first stamp; at each later one it pays as much more."""

EVENT = {
    "title": "A made fall",
    "first_day": "2024-02-21",
    "last_day": "2024-02-22",
    "why": "Prices were made to fall.",
}
UNIVERSE = {
    "source": {"kind": "folder", "path": "../shared/data/made/binance_spot_*"},
    "symbols": list(SYMBOLS),
    "start": "2024-01-01",
    "end": "2024-02-24",
    "intervals": ["1h"],
    "funding": {"AAAUSDT": "../shared/data/rates/made.parquet"},
}
EXPERIMENT = {
    "first_as_of": "2024-02-19",
    "retrain": "week",
    "target": {"horizons": [5]},
    "features": {"names": ["log_return_1", "log_return_5", "volatility_20"]},
    "split": {"train_days": 35, "purge": 5, "embargo": 5},
    "models": {"logistic_regression": None},
    "strategy": {"horizon": 5},
    "costs": {"taker_fee_bps": 0, "maker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0, "funding_rate": 0},
    "limits": {"instrument": "perpetual"},
}


def walk(symbol, factor):
    """Hourly bars of a random walk that falls for ten hours, and what it was at the closes around the event."""
    hours = 58 * 24
    rng = np.random.default_rng(len(symbol) + ord(symbol[0]))
    moves = rng.normal(0, 0.005, hours)
    times = [START + timedelta(hours=n) for n in range(hours)]
    moves[[FALL <= time < FALL + timedelta(hours=10) for time in times]] = np.log(factor) / 10
    close = 100 * np.exp(np.cumsum(moves))
    before = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(close, before) * 1.001, np.minimum(close, before) / 1.001
    return pl.DataFrame({"open_time": times, "open": before, "high": high, "low": low, "close": close, "volume": 1.0})


@dataclass(frozen=True)
class Stage:
    """A folder of events and one of recorded bars, with the command that replays them."""

    folder: Path

    def put(self, name, value):
        path = self.folder / "events" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value))

    def record(self):
        bars = self.folder / "recorded/made"
        bars.mkdir(parents=True)
        for symbol, factor in SYMBOLS.items():
            walk(symbol, factor).write_parquet(bars / f"binance_spot_{symbol}_1h.parquet")
        stamps = [START + timedelta(hours=8 * n) for n in range(58 * 3 + 1)]
        rates = pl.DataFrame({"funding_time": stamps, "funding_rate": [RATE * (1 + n) for n in range(len(stamps))]})
        (self.folder / "recorded/rates").mkdir()
        rates.write_parquet(self.folder / "recorded/rates/made.parquet")

    @contextmanager
    def entered(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NIGHTFOLD_DATA", str(self.folder / "data"))
            patch.setenv("NIGHTFOLD_SOURCE", "folder:/nowhere")  # of another deployment, and no concern of a replay
            yield

    def __call__(self, *arguments, data="recorded"):
        given = ["--data", str(self.folder / data)] if data else []
        call = ["stress", *arguments, "--events", str(self.folder / "events"), *given]
        with self.entered():
            result = CliRunner().invoke(app, call)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path)
    made.put("fall/event.yaml", EVENT)
    made.put("fall/universe.yaml", UNIVERSE)
    made.put("fall/labels.yaml", {"labels": {"horizons": [5]}})
    made.put("fall/experiments/replay.yaml", EXPERIMENT)
    return made


def test_a_made_fall_is_replayed_from_a_folder_of_bars_to_a_row(stage):
    stage.record()
    first = stage("fall", "--output", "json")
    assert first.exit_code == 0, first.stderr
    assert "fall  " in first.stderr
    assert "replay/logistic_regression 2024-02-19 pooled" in first.stderr
    (row,) = json.loads(first.stdout)
    assert list(row) == list(REPLAYS.columns)
    closes = {symbol: walk(symbol, factor) for symbol, factor in SYMBOLS.items()}
    ends = {
        symbol: {time + timedelta(hours=1): close for time, close in frame.select("open_time", "close").rows()}
        for symbol, frame in closes.items()
    }
    left = np.mean([own[FALL + timedelta(days=2)] / own[FALL] for own in ends.values()])
    deepest = min(
        np.mean([own[FALL + timedelta(hours=hour)] / own[FALL] for own in ends.values()]) for hour in range(49)
    )
    assert row["holding_return"] == pytest.approx(left - 1)
    assert row["holding_drawdown"] == pytest.approx(deepest - 1)  # it only falls at first: the peak is the beginning
    assert -0.3 < deepest - 1 < -0.15
    expected = ("fall", "replay", "2024-02-19", "2024-02-18T23:00:00+00:00", 1, 2.0)
    assert (
        tuple(row[name] for name in ("event", "experiment", "in_force_since", "trained_until", "models", "days"))
        == expected
    )
    stored = stage.folder.glob("data/stress/fall/*/lake/replay/backtest/range=full/*/equity.parquet")
    worth = dict(pl.read_parquet(list(stored)).select("close_time", "equity").rows())
    assert row["total_return"] == pytest.approx(worth[FALL + timedelta(days=2)] / worth[FALL] - 1)
    assert row["trades"] > 0
    (paid,) = stage.folder.glob("data/stress/fall/*/lake/replay/backtest/range=full/*/funding.parquet")
    rates = pl.read_parquet(paid).filter(symbol="AAAUSDT").select("time", "rate")
    assert rates.height > 0
    assert rates["rate"].to_list() == pytest.approx(
        [RATE * (1 + (time - START) / timedelta(hours=8)) for time in rates["time"]]
    )
    assert row["verdict"] == ("gained" if row["total_return"] > 0 else "lost")

    assert f"Page: {stage.folder}/data/stress/stress.html" in first.stderr

    shutil.rmtree(stage.folder / "recorded")  # what is stored needs no bars
    again = stage("--no-run")
    assert again.exit_code == 0
    assert "fall: A made fall. Prices were made to fall." in again.stdout
    (page,) = (stage.folder / "data/stress/fall").glob("*/reports/replay/tearsheet.html")
    assert str(stage.folder / "recorded/made") in page.read_text()

    whole = stage.folder / "data/stress/stress.html"
    assert again.stdout.splitlines()[-1] == f"Page: {whole}"
    (link,) = re.findall(r'<a href="([^"]+)">Tearsheet of replay</a>', whole.read_text())
    assert (whole.parent / link).samefile(page)
    (stored_row,) = pl.read_csv(whole.with_suffix(".csv")).to_dicts()
    assert stored_row == {**row, "trained_until": ANY}
    assert datetime.fromisoformat(stored_row["trained_until"]) == datetime.fromisoformat(row["trained_until"])


def test_bars_that_are_not_there_are_told_with_the_place_where_they_would_lie(stage):
    result = stage(data="nowhere")
    assert result.exit_code == 1
    assert "error: the bars of `fall` are not there" in result.stderr
    assert f"They would lie at {stage.folder}/nowhere/made/binance_spot_*; `--data FOLDER`" in result.stderr
    assert not (stage.folder / "data/stress/fall/dagster_home").exists()


def test_funding_that_is_not_there_is_told_before_anything_is_trained(stage):
    stage.record()
    rates = stage.folder / "recorded/rates/made.parquet"
    rates.unlink()
    result = stage()
    assert result.exit_code == 1
    assert f"error: the funding of `fall` is not there: the funding rates of AAAUSDT cannot be read from {rates}" in (
        result.stderr
    )
    assert "fall  " not in result.stderr  # nothing was run


def test_bars_that_end_before_the_event_are_told(stage):
    stage.record()
    file = stage.folder / "recorded/made/binance_spot_AAAUSDT_1h.parquet"
    pl.read_parquet(file).filter(pl.col("open_time") < FALL - timedelta(days=1)).write_parquet(file)
    result = stage()
    assert result.exit_code == 1
    assert "the bars of AAAUSDT run from 2024-01-01 to 2024-02-20, and `fall` begins on 2024-02-21." in result.stderr
    assert f"They would lie at {stage.folder}/recorded/made" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fell",), "error: event `fell` is unknown; did you mean fall?"),
        (("--experiment", "reply"), "error: experiment `reply` is unknown; did you mean replay?"),
        (("--output", "xml"), "error: `output` is 'xml'; it must be table, csv or json."),
        (("--no-run",), "error: fall/replay was not replayed yet; `nightfold stress fall` does it."),
    ],
)
def test_what_cannot_be_replayed_is_one_message(stage, arguments, message):
    stage.record()
    result = stage(*arguments)
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr


def test_a_replay_that_fails_says_which_after_what_it_said(stage):
    stage.record()
    with stage.entered():
        (replay,) = find_replays(["fall"], stage.folder / "events")
    stage.put("fall/universe.yaml", {**UNIVERSE, "colour": "red"})
    told = []
    with pytest.raises(NightfoldError, match="the replay fall/replay failed; what it said is above"):
        replay.run("replay", told.append)
    assert "universe.yaml: `colour`: setting `colour` is unknown" in "".join(told)


def test_bars_elsewhere_need_a_source_that_lies_among_the_recorded_ones(stage):
    stage.record()
    stage.put("fall/universe.yaml", {**UNIVERSE, "source": "simulated"})
    result = stage()
    assert (result.exit_code, "does not lie there: leave `data` out" in result.stderr) == (1, True)


def test_an_event_without_an_experiment_is_told(stage):
    (stage.folder / "events/fall/experiments/replay.yaml").unlink()
    result = stage()
    assert (result.exit_code, "error: there is no experiment; write one into" in result.stderr) == (1, True)


def test_a_folder_without_events_is_told(stage):
    shutil.rmtree(stage.folder / "events")
    result = stage()
    assert (result.exit_code, "events has no event; each is a folder of its own with event.yaml" in result.stderr) == (
        1,
        True,
    )


@pytest.mark.parametrize("folder", sorted(SHIPPED.iterdir()), ids=lambda folder: folder.name)
def test_every_shipped_replay_makes_definitions(folder, tmp_path):
    from pipeline_defs.definitions import build
    from resources.environments import Settings, load_environment

    definitions, line = build(load_environment(Settings(config=folder, data=tmp_path)))
    definitions.resolve_asset_graph()
    assert list(line.plans) == ["replay", "replay_short"]


@pytest.mark.parametrize("event", ["covid", "luna", "ftx", "usdc"])
def test_a_shipped_replay_needs_recorded_funding_to_be_run_and_not_to_be_looked_at(event, tmp_path, monkeypatch):
    """The recorded rates begin in 2022; whoever is short on spot rules pays none."""
    monkeypatch.setenv("NIGHTFOLD_DATA", str(tmp_path))
    (replay,) = find_replays([event], SHIPPED, tmp_path / "nowhere")
    assert list(replay.line.plans) == ["replay", "replay_short"]
    assert list(replay.environment.universe.funding) == ([] if event == "covid" else ["BTCUSDT"])
    replay.check_funding("replay")
    with (
        nullcontext()
        if event == "covid"
        else pytest.raises(ConfigError, match=f"the funding of `{event}` is not there")
    ):
        replay.check_funding("replay_short")


@pytest.mark.parametrize("event", ["luna", "ftx", "usdc"])
def test_recorded_funding_covers_the_days_of_a_shipped_replay(event, market_data, tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTFOLD_DATA", str(tmp_path))
    (replay,) = find_replays([event], SHIPPED, market_data)
    universe, funding = replay.environment.universe, replay.line.plans["replay_short"].funding
    times = np.arange(*(1_000 * int(midnight(day).timestamp()) for day in (universe.start, universe.end)), 300_000)
    assert funding_of("BTCUSDT", times, 300_000, Costs(), funding).height > 300


@pytest.mark.slow
def test_march_2020_is_replayed_on_recorded_bars(market_data, tmp_path, monkeypatch):
    """Held from the last close before 8 March, 8 886.66, to the last of the file, 5 751.10; both read off the file."""
    monkeypatch.setenv("NIGHTFOLD_DATA", str(tmp_path))
    arguments = ["stress", "covid", "--experiment", "replay", "--data", str(market_data), "--output", "json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)
    assert row["holding_return"] == pytest.approx(5751.10 / 8886.66 - 1, abs=1e-4)
    assert row["in_force_since"] == "2020-03-02"
    assert datetime.fromisoformat(row["trained_until"]) < datetime(2020, 3, 2, tzinfo=UTC)
    assert row["days"] == pytest.approx(4 + (21 + 10 / 60) / 24)
    assert row["total_return"] > 0.3 * row["holding_return"] - 0.05  # never more than .3 of equity was in the market
    assert date.fromisoformat(row["last_day"]) == date(2020, 3, 12)
