"""The page of stress replays: every figure of every event, and nothing that it would have to load."""

import re
from datetime import UTC, date, datetime

import polars as pl

from nightfold.stress import REPLAYS, StressEvent
from nightfold.tearsheet.stress import render_stress

FALL = StressEvent(name="fall", title="The <fall>", first_day=date(2024, 1, 3), last_day=date(2024, 1, 4), why="A & B.")
RISE = StressEvent(name="rise", title="The rise", first_day=date(2024, 3, 1), last_day=date(2024, 3, 1), why="C.")


def row(event: str, experiment: str, total: float, held: float) -> dict[str, object]:
    return {
        "event": event,
        "experiment": experiment,
        "first_day": date(2024, 1, 3),
        "last_day": date(2024, 1, 4),
        "days": 1.5,
        "in_force_since": date(2023, 12, 25),
        "trained_until": datetime(2023, 12, 24, 23, tzinfo=UTC),
        "models": 2,
        "total_return": total,
        "max_drawdown": -0.0712,
        "trades": 1234,
        "holding_return": held,
        "holding_drawdown": -0.3456,
        "verdict": "lost" if total < 0 else "gained",
    }


TABLE = REPLAYS.conform(
    pl.DataFrame(
        [row("fall", "spot", -0.0123, -0.25), row("fall", "short", 0.04, -0.25), row("rise", "spot", 0.1, 0.5)]
    )
)


def rows_of(page: str) -> list[list[str]]:
    """Text of each row of the table, its kinds of spaces made plain."""
    plain = page.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    body = plain[plain.index("</thead>") : plain.index("</table>")]
    return [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", each) for each in re.findall(r"<tr.*?</tr>", body, re.DOTALL)]


def test_each_replay_stands_below_its_event_beside_what_was_held() -> None:
    rest = ["1,234", "lost", "-25.0 %", "-34.6 %", "1.5", "2023-12-25", "2023-12-24 23:00", "2"]
    found = rows_of(render_stress(TABLE, [FALL, RISE], {}))
    assert found[0] == ["The &lt;fall&gt;"]
    assert found[1] == ["spot", "-1.2 %", "-7.1 %", *rest]
    assert found[2][:5] == ["short", "+4.0 %", "-7.1 %", "1,234", "gained"]
    assert found[3] == ["The rise"]
    assert found[4][:2] == ["spot", "+10.0 %"]
    assert len(found) == 5


def test_it_says_what_happened_and_where_each_tearsheet_lies() -> None:
    links = {("fall", "spot"): "fall/a.html", ("rise", "spot"): "rise/b.html"}
    page = render_stress(TABLE, [FALL, RISE], links)
    assert '2024-01-03 to 2024-01-04. A &amp; B. <a href="fall/a.html">Tearsheet of spot</a>.' in page
    assert page.count("Tearsheet of") == 2
    assert page == render_stress(TABLE, [FALL, RISE], links)


def test_it_loads_nothing_and_owns_up_to_a_simulated_market() -> None:
    page = render_stress(TABLE, [FALL, RISE], {}, note="planted <trend>")
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|src=|@import|<script", page)
    assert "Simulated market" in page
    assert "planted &lt;trend&gt;" in page
    assert "Simulated market" not in render_stress(TABLE, [FALL, RISE], {})
