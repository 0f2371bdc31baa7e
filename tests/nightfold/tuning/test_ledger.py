"""The trial ledger: everything looked at, each configuration once."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from nightfold.labels.searched import TRIALS
from nightfold.models.contract import ModelSpec
from nightfold.tearsheet.measures import deflated_sharpe_ratio, sharpe_ratio
from nightfold.tuning.ledger import (
    LEDGER,
    barrier_rows,
    configurations,
    joined_returns,
    ledger_rows,
    merged,
    sharpe_variance,
    together,
)
from nightfold.tuning.search import Search
from nightfold.tuning.trial import Outcome, Trial

FEBRUARY, MARCH = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
FIRST_DAY = (date(2024, 1, 20) - date(1970, 1, 1)).days


class Plain(ModelSpec):
    """One number."""

    x: int = 0


def trial(
    number: int, x: int, returns: list[float], first_day: int | None = FIRST_DAY, state: str = "complete"
) -> Trial:
    outcome = Outcome(0.5 + x, {"log_loss": 0.5 + x}, 40, first_day, returns)
    return Trial(number, Plain(x=x), state, 0, outcome)  # type: ignore[arg-type]


def rows(
    name: str, trials: list[Trial], as_of: datetime = FEBRUARY, subject: str = "e/lightgbm/pooled"
) -> pl.DataFrame:
    made = Search(name, "log_loss", tuple(trials), trials[0])
    return LEDGER.validate(ledger_rows(made, subject, "lightgbm", as_of, "log_loss"))


def test_a_row_tells_what_was_tried_where_and_how_it_went() -> None:
    ledger = rows("s", [trial(0, 3, [0.1, -0.2]), trial(1, 4, [], None, "pruned")])
    assert ledger.select("as_of", "search", "trial", "subject", "settings", "state", "score", "rows").rows() == [
        (FEBRUARY, "s", 0, "e/lightgbm/pooled", '{"x": 3}', "complete", 3.5, 40),
        (FEBRUARY, "s", 1, "e/lightgbm/pooled", '{"x": 4}', "pruned", 4.5, 40),
    ]
    assert ledger["first_day"].to_list() == [date(2024, 1, 20), None]
    assert ledger["daily_returns"].to_list() == [[0.1, -0.2], None]


def test_writing_a_search_down_again_adds_nothing_and_a_new_one_drops_nothing() -> None:
    first = rows("s", [trial(0, 1, [0.1]), trial(1, 2, [0.2])])
    assert merged(first, first).equals(first)
    both = merged(first, rows("t", [trial(0, 3, [0.1])]))
    assert both.height == 3
    assert merged(both, first).equals(both)
    assert merged(LEDGER.empty(), first).equals(first)


def test_one_configuration_at_many_as_ofs_counts_once_and_pruned_ones_count() -> None:
    february = rows("s", [trial(0, 1, [0.1]), trial(1, 2, [0.1], state="pruned"), trial(2, 1, [0.1])])
    march = rows("t", [trial(0, 1, [0.1]), trial(1, 5, [0.1])], MARCH)
    assert configurations(february) == 2
    assert configurations(together([february, march])) == 3
    other = rows("u", [trial(0, 1, [0.1])], subject="other/lightgbm/pooled")
    assert configurations(together([february, march, other])) == 4


def test_returns_of_a_configuration_join_over_its_as_ofs_and_the_newest_search_has_the_last_word() -> None:
    february = rows("s", [trial(0, 1, [0.1, 0.2, 0.3])])
    march = rows("t", [trial(0, 1, [0.5, 0.6], FIRST_DAY + 2), trial(1, 2, [], None)], MARCH)
    joined = joined_returns(together([february, march]))
    assert joined["configuration"].n_unique() == 1
    assert joined.select("day", "daily_return").rows() == [
        (date(2024, 1, 20), 0.1),
        (date(2024, 1, 21), 0.2),
        (date(2024, 1, 22), 0.5),
        (date(2024, 1, 23), 0.6),
    ]


def test_the_variance_of_sharpe_ratios_is_that_of_daily_ratios_and_unknown_under_ten() -> None:
    random = np.random.default_rng(0)
    returns = [random.normal(0.001, 0.01, 60).tolist() for _ in range(12)]
    ledger = rows("s", [trial(number, number, each) for number, each in enumerate(returns)])
    ratios = [sharpe / np.sqrt(365) for each in returns if (sharpe := sharpe_ratio(np.array(each))) is not None]
    variance = sharpe_variance(ledger)
    assert variance == pytest.approx(np.var(ratios, ddof=1), rel=1e-9)
    assert sharpe_variance(ledger.head(9)) is None
    reported = np.array(returns[0])
    few, many = (deflated_sharpe_ratio(reported, count, variance) for count in (2, configurations(ledger)))
    assert few is not None
    assert many is not None
    assert many < few


def test_a_configuration_that_never_moved_has_no_ratio() -> None:
    random = np.random.default_rng(0)
    moving = [trial(number, number, random.normal(0, 0.01, 20).tolist()) for number in range(10)]
    still = trial(10, 10, [0.0] * 20)
    assert sharpe_variance(rows("s", [*moving, still])) == sharpe_variance(rows("s", moving))
    assert configurations(rows("s", [*moving, still])) == 11


def test_barrier_searches_are_read_as_rows_of_the_same_ledger() -> None:
    figures = {name: 0.1 for name, column in TRIALS.columns.items() if column.dtype == pl.Float64}
    base = {**figures, "symbol": "BTCUSDT", "horizon": 20, "holding_bars": 10, "rows": 500}
    base |= {"feasible": True, "offered": False, "search": "b"}
    months = [FEBRUARY, FEBRUARY, FEBRUARY, MARCH]
    trials = pl.DataFrame(
        [
            {**base, "open_time": month, "trial": number, "upper": upper}
            for month, number, upper in zip(months, [-1, 0, 1, 0], [9.0, 1.0, 2.0, 1.0], strict=True)
        ],
        schema=TRIALS.dtypes,
    )
    ledger = LEDGER.validate(barrier_rows(trials, "labels"))
    assert ledger["subject"].unique().to_list() == ["labels/BTCUSDT"]
    assert ledger.select("as_of", "trial").rows() == [(FEBRUARY, 0), (FEBRUARY, 1), (MARCH, 0)]
    assert configurations(ledger) == 2
    both = together([ledger, rows("s", [trial(0, 1, [0.1])])])
    assert configurations(both) == 3
    assert sharpe_variance(both) is None
