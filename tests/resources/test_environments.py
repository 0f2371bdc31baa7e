"""Deployments: settings files, sources, folders and secrets."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from nightfold.errors import ConfigError, LakeError
from resources import environments
from resources.environments import Environment, Settings, load_environment, prepare_dagster_home
from resources.project import PROJECT

UNIVERSE = "source: simulated\nsymbols: [BTCUSDT, ETHUSDT]\nstart: 2024-01-01\nend: 2024-07-01\n"
LABELS = "labels: {horizons: [5, 20]}\n"
EXPERIMENT = "first_as_of: 2024-03-01\ntarget: {horizons: [20]}\nmodels: {logistic_regression: }\n"
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NIGHTFOLD_") or name == "DAGSTER_HOME"]:
        monkeypatch.delenv(name)


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Settings files of a small deployment."""
    folder = tmp_path / "configs"
    (folder / "experiments").mkdir(parents=True)
    (folder / "universe.yaml").write_text(UNIVERSE)
    (folder / "labels.yaml").write_text(LABELS)
    (folder / "experiments" / "small.yaml").write_text(EXPERIMENT)
    return folder


@pytest.fixture
def load(configs: Path, tmp_path: Path) -> Callable[..., Environment]:
    """Load the small deployment, with further settings."""

    def environment(**settings: Any) -> Environment:
        given = {"config": configs, "data": tmp_path / "data", **settings}
        return load_environment(Settings.model_validate(given), lambda: NOON)

    return environment


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., str]:
    """Put recorded bars into a folder, and return it as a source."""

    def record(*names: str, start: datetime = datetime(2024, 2, 3, 4, tzinfo=UTC), bars: int = 10_000) -> str:
        folder = tmp_path / "recorded"
        folder.mkdir(exist_ok=True)
        times = pl.datetime_range(start, start + timedelta(minutes=5 * (bars - 1)), "5m", time_unit="ms", eager=True)
        prices = {name: [1.0] * bars for name in ("open", "high", "low", "close", "volume")}
        for name in names:
            pl.DataFrame({"open_time": times, **prices}).write_parquet(folder / f"{name}.parquet")
        return f"folder:{folder}"

    return record


# ---------------------------------------------------------------------- the shipped deployment


def test_the_shipped_deployment_is_the_simulated_market_in_the_projects_own_folders() -> None:
    environment = load_environment(now=lambda: NOON)
    assert environment.universe.is_simulated
    assert environment.universe.symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert set(environment.experiments) >= {"baseline", "quick"}
    assert environment.dagster_home == PROJECT / "dagster_home"
    assert environment.data == PROJECT / "data" / "simulated-7"
    assert environment.lake.url == str(PROJECT / "data" / "simulated-7" / "lake")
    assert environment.lake_identity == {"format": 1, "grain": "month", "interval": "5m", "source": "simulated-7"}


@pytest.mark.parametrize("folder", sorted((PROJECT / "configs").glob("**/universe.yaml")), ids=lambda p: p.parent.name)
def test_every_shipped_deployment_loads(folder: Path) -> None:
    if folder.parent.name == "binance_spot" and not (PROJECT / "../shared/data").is_dir():
        pytest.skip("no recorded market data beside the project")
    assert load_environment(Settings(config=folder.parent), lambda: NOON).experiments


# ---------------------------------------------------------------------- where things lie


def test_everything_of_a_source_lies_in_its_folder(load: Callable[..., Environment], tmp_path: Path) -> None:
    environment = load()
    data = tmp_path / "data" / "simulated-7"
    assert environment.lake.url == str(data / "lake")
    assert environment.lake.locks == data / "lake.locks"
    assert environment.reports == data / "reports"
    assert environment.scratch == data / "scratch"
    assert environment.tracking_address == f"sqlite:///{data / 'mlflow.db'}"
    assert environment.horizon() == NOON


def test_the_lake_and_the_tracking_server_may_lie_elsewhere(load: Callable[..., Environment], tmp_path: Path) -> None:
    remote = load(lake="s3://bucket/lake", tracking="http://127.0.0.1:5000")
    assert remote.lake.url == "s3://bucket/lake"
    assert remote.lake.locks == tmp_path / "data" / "simulated-7" / "lake.locks"
    assert remote.tracking_address == "http://127.0.0.1:5000"


def test_writers_that_share_a_folder_share_its_locks(load: Callable[..., Environment], tmp_path: Path) -> None:
    here, there = (load(lake=str(tmp_path / "shared"), data=tmp_path / name) for name in ("one", "two"))
    assert here.lake == there.lake
    assert here.lake.locks == tmp_path / "shared.locks"


def test_relative_folders_are_the_projects_wherever_one_stands(
    load: Callable[..., Environment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = load(data=Path("some/data"), lake="some/lake")
    assert environment.data == PROJECT / "some/data/simulated-7"
    assert environment.lake.url == str(PROJECT / "some/lake")


def test_no_two_lakes_share_a_dagster_home(
    load: Callable[..., Environment], recorded: Callable[..., str], tmp_path: Path
) -> None:
    source = recorded("x_spot_BTCUSDT_5m", bars=30_000)
    shipped = load_environment(now=lambda: NOON)
    deployments = [
        shipped,
        load(data=environments.DATA),
        load(data=environments.DATA, source=source),
        load(),
        load(source=source),
        load(data=tmp_path / "more"),
        load(data=environments.DATA, lake="s3://bucket/lake"),
        load(data=environments.DATA, lake="s3://bucket/other"),
    ]
    homes = [deployment.dagster_home for deployment in deployments]
    assert len(set(homes)) == len(homes)
    assert homes[1].parent == homes[2].parent == PROJECT / "dagster_home"
    assert homes[3] == tmp_path / "data" / "simulated-7" / "dagster_home"


def test_dagsters_home_is_made_with_the_projects_settings_and_named(load: Callable[..., Environment]) -> None:
    environment = load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "somewhere else")
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1")
        home = prepare_dagster_home(environment)
        assert os.environ["DAGSTER_HOME"] == str(home) == str(environment.dagster_home)
    settings = home / "dagster.yaml"
    assert settings.read_bytes() == (PROJECT / "dagster_home" / "dagster.yaml").read_bytes()


# ---------------------------------------------------------------------- another source


def test_a_recorded_source_brings_its_range_and_keeps_the_wanted_symbols(
    load: Callable[..., Environment], recorded: Callable[..., str]
) -> None:
    source = recorded("x_spot_BTCUSDT_5m", "x_spot_SOLUSDT_5m", bars=12 * 24 * 60)
    universe = load(source=source).universe
    assert universe.symbols == ["BTCUSDT"]
    assert (universe.start, universe.end) == (date(2024, 2, 3), date(2024, 4, 4))  # 60 days from 3 February, 04:00
    assert not universe.is_simulated


def test_a_source_that_ends_at_midnight_ends_with_the_day(
    load: Callable[..., Environment], recorded: Callable[..., str]
) -> None:
    source = recorded("x_spot_BTCUSDT_5m", start=datetime(2024, 2, 1, tzinfo=UTC), bars=12 * 24 * 60)
    assert load(source=source).universe.end == date(2024, 4, 1)


def test_a_recorded_source_without_the_wanted_symbols_brings_its_own(
    load: Callable[..., Environment], recorded: Callable[..., str]
) -> None:
    source = recorded("x_perp_BTCUSDT_5m", "x_perp_XRPUSDT_5m")
    assert load(source=source).universe.symbols == ["BTCUSDT.P", "XRPUSDT.P"]


def test_a_leader_that_a_recorded_source_lacks_leads_no_more(
    load: Callable[..., Environment], recorded: Callable[..., str], configs: Path
) -> None:
    source = recorded("x_spot_ETHUSDT_5m")
    for leader, left in (("ETHUSDT", "ETHUSDT"), ("BTCUSDT", None)):
        (configs / "universe.yaml").write_text(f"{UNIVERSE}leader: {leader}\n")
        assert load().universe.leader == leader
        assert load(source=source).universe.leader == left


def test_a_recorded_source_without_the_interval_is_refused(
    load: Callable[..., Environment], recorded: Callable[..., str]
) -> None:
    source = recorded("x_spot_BTCUSDT_1h")
    with pytest.raises(ConfigError, match="has no 5m bars; set `intervals` or `source_interval`"):
        load(source=source)


@pytest.mark.parametrize("source", ["simulated", "binance_archive", "exchange:kraken"])
def test_a_source_that_cannot_tell_keeps_symbols_and_range(load: Callable[..., Environment], source: str) -> None:
    universe = load(source=source).universe
    assert universe.symbols == ["BTCUSDT", "ETHUSDT"]
    assert (universe.start, universe.end) == (date(2024, 1, 1), date(2024, 7, 1))


def test_a_lake_of_another_source_is_refused(
    load: Callable[..., Environment], recorded: Callable[..., str], tmp_path: Path
) -> None:
    shared = str(tmp_path / "lake")
    one, other = load(lake=shared), load(lake=shared, source=recorded("x_spot_BTCUSDT_5m"))
    one.lake.claim(one.lake_identity)
    with pytest.raises(LakeError, match=r"`source` is 'folder-recorded-.*' here and 'simulated-7' there"):
        other.lake.claim(other.lake_identity)


def test_real_bars_bring_their_symbols_and_range(load: Callable[..., Environment], market_data: Path) -> None:
    source = f"folder:{market_data}/bars_5m/binance_spot_*"
    universe = load(source=source).universe
    assert universe.symbols == ["BTCUSDT", "ETHUSDT"]
    assert (universe.start, universe.end) == (date(2022, 1, 1), date(2024, 6, 26))


# ---------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "universe.yaml",
            UNIVERSE + "grian: day",
            "universe.yaml: `grian`: setting `grian` is unknown; did you mean grain",
        ),
        ("labels.yaml", "labels: {horizons: [0]}", "labels.yaml: labels: `horizons.0` is 0; it must be greater than 0"),
        (
            "labels.yaml",
            LABELS + "features: ",
            "labels.yaml: 'features' is the name of a stage; give the label set another",
        ),
        ("labels.yaml", LABELS + "small: ", "small.yaml: the experiment name is 'small', which is a label set's"),
        ("experiments/small.yaml", EXPERIMENT + "symbols: [XRPUSDT]", "small.yaml: symbol `XRPUSDT` is unknown"),
        ("experiments/small.yaml", EXPERIMENT + "interval: 1h", "small.yaml: `interval` is '1h'; the universe has 5m"),
        (
            "experiments/small.yaml",
            EXPERIMENT.replace("[20]", "[20, 40]"),
            "small.yaml: `target.horizons` has [40]; label set `labels` has [5, 20]",
        ),
        (
            "experiments/small.yaml",
            EXPERIMENT.replace("2024-03", "2025-03"),
            "small.yaml: `first_as_of` is 2025-03-01; bars run from 2024-01-01 to 2024-07-01",
        ),
        ("experiments/other.yaml", EXPERIMENT + "name: small", "the name 'small' is taken by other.yaml"),
    ],
)
def test_a_wrong_file_is_refused_at_load(
    load: Callable[..., Environment], configs: Path, name: str, text: str, words: str
) -> None:
    (configs / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load()
    assert words in str(caught.value)


@pytest.mark.parametrize("missing", ["universe.yaml", "labels.yaml", "experiments/small.yaml"])
def test_a_missing_file_is_refused_unless_it_is_one_of_many(
    load: Callable[..., Environment], configs: Path, missing: str
) -> None:
    (configs / missing).unlink()
    if missing.startswith("experiments"):
        assert load().experiments == {}
        return
    with pytest.raises(ConfigError, match=f"{missing} cannot be read: No such file or directory"):
        load()


def test_a_wrong_setting_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTFOLD_NIGHTLY", "perhaps")
    with pytest.raises(
        ConfigError, match=r"environment NIGHTFOLD_...: `nightly` is 'perhaps'; it must be a valid bool"
    ):
        load_environment()


def test_a_source_that_is_none_is_refused(load: Callable[..., Environment]) -> None:
    with pytest.raises(ConfigError, match="`source` is 'somewhere'; it must be `simulated`"):
        load(source="somewhere")


def test_the_webhook_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTFOLD_WEBHOOK", "https://example.org/secret")
    settings = Settings()
    assert isinstance(settings.webhook, SecretStr)
    assert "secret" not in repr(settings) + str(settings) + settings.model_dump_json()
