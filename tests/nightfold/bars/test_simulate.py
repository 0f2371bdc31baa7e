"""The simulated market: one path however it is asked for, lifelike, and without an edge unless one is planted."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from nightfold.bars.simulate import simulate_bars
from nightfold.schema import TIME
from nightfold.source import ORIGIN, SimulatedSource

SPEC = SimulatedSource()
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def day(year: int, month: int = 1, date: int = 1) -> datetime:
    return datetime(year, month, date, tzinfo=UTC)


def of(bars: pl.DataFrame, symbol: str) -> pl.DataFrame:
    return bars.filter(pl.col("symbol") == symbol)


def log_returns(bars: pl.DataFrame, symbol: str = "BTCUSDT") -> NDArray[np.float64]:
    return of(bars, symbol).select((pl.col("close") / pl.col("open")).log()).to_series().to_numpy()


def autocorrelation(values: NDArray[np.float64], lag: int) -> float:
    return float(np.corrcoef(values[lag:], values[:-lag])[0, 1])


@pytest.fixture(scope="module")
def year() -> pl.DataFrame:
    return simulate_bars(SYMBOLS, "5m", day(2022), day(2023), SPEC)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (day(2022, 3), day(2022, 4)),
        (day(2022, 7, 14) + timedelta(hours=3, minutes=25), day(2022, 7, 14) + timedelta(hours=3, minutes=40)),
        (day(2022, 12, 31), day(2023)),
    ],
)
def test_a_range_of_one_symbol_is_a_view_of_the_whole_market(
    year: pl.DataFrame, start: datetime, end: datetime
) -> None:
    part = simulate_bars(["ETHUSDT"], "5m", start, end, SPEC)
    expected = of(year, "ETHUSDT").filter(pl.col("open_time").is_between(start, end, closed="left"))
    assert_frame_equal(part, expected, check_exact=True)


@pytest.mark.parametrize("interval", ["5m", "15m", "1h", "4h", "1d"])
def test_every_interval_is_the_minutes_put_together(interval: str) -> None:
    start, end = day(2022, 5), day(2022, 5, 15)
    minutes = simulate_bars(SYMBOLS, "1m", start, end, SPEC)
    together = (
        minutes.group_by_dynamic("open_time", every=interval, group_by="symbol")
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote").sum(),
        )
        .sort("symbol", "open_time")
    )
    assert_frame_equal(simulate_bars(SYMBOLS, interval, start, end, SPEC), together, rel_tol=1e-8)


def test_only_the_seed_and_the_name_make_a_path() -> None:
    start, end = day(2022), day(2022, 1, 2)
    first = simulate_bars(["BTCUSDT"], "5m", start, end, SPEC)
    assert not first.equals(simulate_bars(["BTCUSDT"], "5m", start, end, SimulatedSource(seed=8)))
    assert (
        log_returns(first).tolist()
        != log_returns(simulate_bars(["ETHUSDT"], "5m", start, end, SPEC), "ETHUSDT").tolist()
    )


def test_a_perpetual_trades_as_its_spot_does() -> None:
    bars = simulate_bars(["BTCUSDT", "BTCUSDT.P"], "1h", day(2022), day(2022, 1, 3), SPEC)
    assert_frame_equal(of(bars, "BTCUSDT").drop("symbol"), of(bars, "BTCUSDT.P").drop("symbol"))


def test_bars_lie_on_the_grid_from_the_origin_on() -> None:
    bars = simulate_bars(["BTCUSDT"], "4h", day(2019), ORIGIN + timedelta(hours=9), SPEC)
    assert bars["open_time"].to_list() == [ORIGIN, ORIGIN + timedelta(hours=4), ORIGIN + timedelta(hours=8)]
    later = simulate_bars(["BTCUSDT"], "1h", day(2022) + timedelta(minutes=1), day(2022) + timedelta(minutes=61), SPEC)
    assert later["open_time"].to_list() == [day(2022) + timedelta(hours=1)]


@pytest.mark.parametrize(("start", "end"), [(day(2018), day(2019)), (day(2022), day(2022)), (day(2023), day(2022))])
def test_a_range_without_bars_is_an_empty_frame_of_the_same_columns(start: datetime, end: datetime) -> None:
    bars = simulate_bars(["BTCUSDT"], "5m", start, end, SPEC)
    assert bars.is_empty()
    assert bars.schema == simulate_bars(["BTCUSDT"], "5m", day(2022), day(2022, 1, 2), SPEC).schema
    assert bars.schema["open_time"] == TIME


def test_prices_of_a_bar_are_in_order_and_join_the_bar_before(year: pl.DataFrame) -> None:
    low, high = pl.col("low"), pl.col("high")
    wrong = year.filter(
        ~((low <= pl.min_horizontal("open", "close")) & (high >= pl.max_horizontal("open", "close")) & (low < high))
    )
    assert wrong.is_empty()
    gaps = (pl.col("open") / pl.col("close").shift().over("symbol") - 1).abs()
    assert year.select(gaps.max()).item() < 1e-9


def test_flow_columns_agree_with_prices_and_with_each_other(year: pl.DataFrame) -> None:
    average = pl.col("quote_volume") / pl.col("volume")
    bought = pl.col("taker_buy_quote") / pl.col("taker_buy_base")
    share = pl.col("taker_buy_base") / pl.col("volume")
    right = (
        average.is_between("low", "high")
        & bought.is_between("low", "high")
        & share.is_between(0.04, 0.96)
        & (pl.col("trades") >= 5)
    )
    assert year.select(right.all()).item()


@pytest.mark.parametrize("spec", [SPEC, SimulatedSource(annual_volatility=3, trend_strength=1)])
def test_prices_stay_positive_and_finite_for_ten_years(spec: SimulatedSource) -> None:
    bars = simulate_bars(["BTCUSDT"], "1d", ORIGIN, day(2030), spec)
    values = bars.drop("symbol", "open_time").to_numpy()
    assert len(values) == 3653
    assert np.isfinite(values).all()
    assert (values > 0).all()


def test_volatility_is_what_was_asked_for() -> None:
    # Volatility itself wanders; over 8 symbols and 6 years 15 % is wide enough.
    bars = simulate_bars([f"C{n}USDT" for n in range(8)], "1d", day(2020), day(2026), SPEC)
    moves = (bars["close"] / bars["open"]).log().to_numpy()
    assert np.sqrt((moves**2).mean() * 365) == pytest.approx(0.6, rel=0.15)


def test_calm_and_storm_come_in_clusters(year: pl.DataFrame) -> None:
    size = np.abs(log_returns(year))
    assert autocorrelation(size, 1) > 0.15
    assert autocorrelation(size, 288) > 0.05
    months = (
        of(year, "BTCUSDT")
        .group_by_dynamic("open_time", every="1mo")
        .agg((pl.col("close") / pl.col("open")).log().std())["close"]
    )
    assert months.max() > 1.5 * months.min()  # type: ignore[operator]  # both are floats


def test_tails_are_fat_and_jumps_happen(year: pl.DataFrame) -> None:
    scaled = log_returns(year) / log_returns(year).std()
    assert (scaled**4).mean() > 8
    assert np.abs(scaled).max() > 10


def test_afternoons_and_weekdays_are_livelier(year: pl.DataFrame) -> None:
    moves = year.with_columns(square=(pl.col("close") / pl.col("open")).log() ** 2)
    hours = moves.group_by(pl.col("open_time").dt.hour()).agg(pl.col("square", "quote_volume").mean())
    by_hour = {hour: (square, money) for hour, square, money in hours.iter_rows()}
    assert by_hour[15][0] > 1.5 * by_hour[3][0]
    assert by_hour[15][1] > 1.2 * by_hour[3][1]
    weekend = pl.col("open_time").dt.weekday() >= 6
    calm, lively = moves.filter(weekend)["square"].mean(), moves.filter(~weekend)["square"].mean()
    assert lively > 1.3 * calm  # type: ignore[operator]  # both are floats


def test_symbols_move_together_but_not_as_one(year: pl.DataFrame) -> None:
    matrix = np.corrcoef([log_returns(year, symbol) for symbol in SYMBOLS])
    pairs = matrix[np.triu_indices(3, 1)]
    assert ((pairs > 0.4) & (pairs < 0.9)).all()


def test_volume_and_buyers_follow_the_move_of_the_same_minute_only() -> None:
    bars = simulate_bars(["BTCUSDT"], "1m", day(2022), day(2022, 4), SPEC)
    moves = log_returns(bars)
    volume = bars["quote_volume"].log().to_numpy()
    bought = (bars["taker_buy_base"] / bars["volume"]).to_numpy()
    assert np.corrcoef(volume, np.abs(moves))[0, 1] > 0.3
    assert np.corrcoef(bought, moves)[0, 1] > 0.3
    noise = 4 / np.sqrt(len(moves))
    assert abs(np.corrcoef(bought[:-1], np.sign(moves[1:]))[0, 1]) < noise
    assert abs(np.corrcoef(volume[:-1], np.sign(moves[1:]))[0, 1]) < noise


def sign_agreement(moves: NDArray[np.float64], window: int) -> tuple[float, float]:
    """Share of bars that go on in the direction of the last ``window`` bars, with a block bootstrap's 99.9 % margin."""
    past = np.convolve(moves, np.ones(window))[window - 1 : -window]
    agree = (np.sign(past) == np.sign(moves[window:])).astype(float)
    blocks = agree[: len(agree) // 288 * 288].reshape(-1, 288).mean(axis=1)
    draws = np.random.default_rng(0).choice(blocks, (2000, len(blocks))).mean(axis=1)
    return float(agree.mean()), 3.3 * float(draws.std())


@pytest.mark.parametrize("window", [1, 12, 72, 288])
def test_without_a_planted_trend_the_next_sign_is_a_coin(year: pl.DataFrame, window: int) -> None:
    for symbol in SYMBOLS:
        share, margin = sign_agreement(log_returns(year, symbol), window)
        assert margin < 0.01
        assert share == pytest.approx(0.5, abs=margin)


@pytest.mark.parametrize("window", [72, 288])
def test_a_planted_trend_is_found(window: int) -> None:
    bars = simulate_bars(["BTCUSDT"], "5m", day(2022), day(2023), SimulatedSource(trend_strength=0.1))
    share, margin = sign_agreement(log_returns(bars), window)
    assert share > 0.5 + 2 * margin


def test_moves_add_up_like_a_random_walk(year: pl.DataFrame) -> None:
    for symbol in SYMBOLS:
        moves = log_returns(year, symbol)
        for length in (3, 12, 288):
            sums = moves[: len(moves) // length * length].reshape(-1, length).sum(axis=1)
            assert sums.var() / (length * moves.var()) == pytest.approx(1, abs=0.25)


def test_prices_are_a_martingale_and_not_just_their_logarithms() -> None:
    # Without minus half the variance the mean yearly simple return would be 3**2 / 2 = 4.5, here 7 standard errors.
    simple = []
    for seed in range(5):
        bars = simulate_bars(["BTCUSDT"], "1h", day(2020), day(2024), SimulatedSource(seed=seed, annual_volatility=3))
        simple.append((bars["close"] / bars["open"] - 1).to_numpy())
    moves = np.concatenate(simple)
    assert abs(moves.mean()) < 3.3 * moves.std() / np.sqrt(len(moves))


def test_the_extremes_are_those_of_a_continuous_path(year: pl.DataFrame) -> None:
    bars = simulate_bars(["BTCUSDT"], "1m", day(2022), day(2022, 4), SPEC)
    span = (bars["high"] / bars["low"]).log().to_numpy()
    open_to_high = (bars["high"] / bars["open"]).log().to_numpy()
    variance = (log_returns(bars) ** 2).mean()
    # Of a driftless Brownian path E[max**2] = sigma**2 and E[(max - min)**2] = 4 ln 2 sigma**2 (Parkinson, 1980).
    # The two extremes of a minute are drawn one by one, which makes its span a little too wide.
    assert (open_to_high**2).mean() == pytest.approx(variance, rel=0.03)
    assert (span**2).mean() == pytest.approx(4 * np.log(2) * variance, rel=0.04)


def test_the_planted_drift_has_the_stated_size_and_keeps_its_sign_for_days(year: pl.DataFrame) -> None:
    # The draws are the same with and without a trend, so the difference of log returns is the drift itself.
    trending = simulate_bars(["BTCUSDT"], "5m", day(2022), day(2023), SimulatedSource(trend_strength=0.1))
    drift = log_returns(trending) - log_returns(year)
    assert np.sqrt((drift**2).mean() / (log_returns(year) ** 2).mean()) == pytest.approx(0.1, rel=0.02)
    hours = drift.reshape(-1, 12)
    assert np.ptp(hours, axis=1).max() < 1e-8
    runs = 1 + np.count_nonzero(np.diff(np.sign(hours[:, 0])))
    assert 365 / runs == pytest.approx(3, rel=0.35)


@pytest.mark.parametrize(
    "wrong", [{"annual_volatility": 0}, {"trend_strength": -0.1}, {"trend_strength": 2}, {"seed": -1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimulatedSource.model_validate(wrong)
