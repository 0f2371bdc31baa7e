"""Charts of forecasts beside what came of them."""

from collections.abc import Sequence

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis
from nightfold.tearsheet.plot import Plot, Spot, dots, level, line, mark

MOST_SPOTS = 1500

_MOST_COLORS = 5
_EDGE = 0.002
"""Share of the most extreme values on either side that the picture leaves out."""


def reliability_chart(curve: pl.DataFrame) -> Plot:
    """Draw how often the side was right against how sure the forecast was; on the dashed line both are equal.

    Parameters
    ----------
    curve
        `nightfold.models.calibration_curve.calibration_curve`, at least one bin.
    """
    said, came, error = (curve[name].to_list() for name in ("said", "came", "error"))
    ends = [*said, *came, *(c - e for c, e in zip(came, error, strict=True))]
    ends += [c + e for c, e in zip(came, error, strict=True)]
    axis = linear_axis(min(ends), max(ends), number.tick_percent, 5)
    spots = [
        Spot(s, c, "s1", (f"said {number.percent(s)}", f"right {number.percent(c)}", f"{number.count(n)} forecasts"))
        for s, c, n in zip(said, came, curve["rows"], strict=True)
    ]
    sticks = [line(axis, axis, [(s, c - e), (s, c + e)], "s6") for s, c, e in zip(said, came, error, strict=True)]
    return Plot(
        name="reliability-curve",
        title="How often the side was right, by confidence",
        description=f"{len(said)} bins; the dashed line is what was said, the strokes are errors by chance.",
        x=axis,
        y=axis,
        layers=[
            line(axis, axis, [(axis.low, axis.low), (axis.high, axis.high)], "frequencies"),
            *sticks,
            dots(axis, axis, [(one.x, one.y) for one in spots], "s1 large"),
        ],
        points=spots,
        told={"said": said, "came": came, "error": error},
        size="middle",
    )


def telling(known: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Pick the forecasts to draw, and count those too extreme to be among them.

    A long log is thinned evenly in time; of the moves, the two in a thousand on either side are left out.

    Parameters
    ----------
    known
        ``symbol``, ``open_time``, ``expected_move``, ``actual_move``; at least one row.
    """
    inside = known.filter(*(_within(name, known) for name in ("expected_move", "actual_move")))
    every = -(-inside.height // MOST_SPOTS)
    return inside.sort("open_time", "symbol").gather_every(max(every, 1)), known.height - inside.height


def outcome_chart(known: pl.DataFrame) -> Plot:
    """Draw the move that was forecast across and the one that came up, a dot a forecast, coloured by symbol.

    Parameters
    ----------
    known
        ``symbol``, ``open_time``, ``expected_move``, ``actual_move``, ``confidence`` (null where none was said), as
        from `telling`; at least one row.
    """
    x, y = (
        linear_axis(float(known[name].min()), float(known[name].max()), number.tick_percent, 5)  # type: ignore[arg-type]  # floats
        for name in ("expected_move", "actual_move")
    )
    symbols = known["symbol"].unique().sort().to_list()
    styles = {symbol: f"s{1 + min(place, _MOST_COLORS)}" for place, symbol in enumerate(symbols)}
    spots = [_spot(row, styles[row["symbol"]]) for row in known.iter_rows(named=True)]
    return Plot(
        name="outcome-scatter",
        title="Move that came (up) by move forecast (across)",
        description=f"{number.count(known.height)} forecasts; on the dashed lines nothing moves.",
        x=x,
        y=y,
        layers=[
            level(x, y, 0.0, "base"),
            mark(x, y, 0.0, "base"),
            *(
                dots(x, y, [(one.x, one.y) for one in spots if one.style == style], f"{style} small")
                for style in dict.fromkeys(styles.values())
            ),
        ],
        legend=_keys(symbols),
        points=spots,
        told={
            **known.select("symbol", "open_time", "expected_move", "actual_move", "confidence").to_dict(as_series=False)
        },
        size="tall",
        place="wide",
    )


def _keys(symbols: Sequence[str]) -> list[tuple[str, str]]:
    """Name and colour of each symbol; the last colour stands for all that are left."""
    named, rest = symbols[:_MOST_COLORS], symbols[_MOST_COLORS:]
    last = [rest[0] if len(rest) == 1 else f"{len(rest)} others"] if rest else []
    return [(name, f"s{1 + place}") for place, name in enumerate([*named, *last])]


def _within(name: str, known: pl.DataFrame) -> pl.Expr:
    low, high = known[name].quantile(_EDGE, "lower"), known[name].quantile(1 - _EDGE, "higher")
    return pl.col(name).is_between(low, high)


def _spot(row: dict[str, object], style: str) -> Spot:
    said, came, sure = (row[name] for name in ("expected_move", "actual_move", "confidence"))
    words = (
        f"{row['symbol']} {number.moment(row['open_time'])}",  # type: ignore[arg-type]  # a time column
        f"forecast {number.percent(said, 2, signed=True)}",  # type: ignore[arg-type]  # a column of floats
        f"came {number.percent(came, 2, signed=True)}",  # type: ignore[arg-type]  # a column of floats
        *([] if sure is None else [f"confidence {number.percent(sure)}"]),  # type: ignore[arg-type]  # of floats
    )
    return Spot(float(said), float(came), style, words)  # type: ignore[arg-type]  # columns of floats
