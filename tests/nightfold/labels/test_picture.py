"""Pictures of labels and searches: that they stand by themselves, and that what they show is where it belongs."""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import polars as pl
import pytest

from nightfold.bars.simulate import simulate_bars
from nightfold.labels.barrier import TripleBarrier
from nightfold.labels.choice import TRIED, BarrierSearch
from nightfold.labels.drawing import BLUE, FAINT, GREEN, RED, cell
from nightfold.labels.picture import label_picture
from nightfold.labels.search_picture import search_picture
from nightfold.labels.table import LabelSet, label_table
from nightfold.source import SimulatedSource
from nightfold.tearsheet.axis import Axis

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)
    return simulate_bars(["AUSDT"], "5m", start, end, SimulatedSource())


def drawn(bars: pl.DataFrame, label_set: LabelSet, **choices: bool) -> str:
    labels = label_table(bars, label_set, "5m")
    return label_picture(bars, labels, label_set, 10, "5m", "Labels of A & B", **{"is_simulated": False} | choices)


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_two_windows_of_each_touch_are_drawn(bars: pl.DataFrame) -> None:
    labels = label_table(bars, LabelSet(horizons=[10]), "5m")
    titles = [text for text in texts(drawn(bars, LabelSet(horizons=[10]))) if " · 2024" in text]
    assert [title.split(" · ")[0] for title in titles] == ["upper"] * 2 + ["lower"] * 2 + ["vertical"] * 2
    for title in titles:
        touch, _, time = title.partition(" · ")
        row = labels.filter(open_time=datetime.strptime(time, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
        assert row["touch_10"].item() == touch


def test_the_exit_dot_of_a_touch_lies_on_its_barrier(bars: pl.DataFrame) -> None:
    picture = drawn(bars, LabelSet(horizons=[10], entry="next_open"))
    box = re.findall(r'<path d="M([\d. L-]+)" fill="none" stroke="(#\w+)"[^>]*dasharray', picture)
    dots = re.findall(r'<path d="M([\d.]+) ([\d.]+)h0" stroke="(#\w+)" stroke-width="9"', picture)
    assert len(box) == len(dots) == 6
    for (corners, color), (_, y, same) in zip(box, dots, strict=True):
        assert color == same
        heights = [float(point.split()[1]) for point in corners.split("L")]
        if color == GREEN:
            assert float(y) <= min(heights) + 0.1
        elif color == RED:
            assert float(y) >= max(heights) - 0.1
        else:
            assert min(heights) < float(y) < max(heights)


def test_a_picture_is_a_file_of_its_own_and_tells_a_simulated_market(bars: pl.DataFrame) -> None:
    plain, marked = (drawn(bars, LabelSet(horizons=[10]), is_simulated=each) for each in (False, True))
    assert "simulated market" in texts(marked)
    assert "simulated market" not in texts(plain)
    assert texts(plain)[0] == "Labels of A & B"
    assert plain == drawn(bars, LabelSet(horizons=[10]))
    assert "href" not in plain


def test_without_known_labels_no_window_is_drawn(bars: pl.DataFrame) -> None:
    assert not [text for text in texts(drawn(bars.head(50), LabelSet(horizons=[10]))) if "2024" in text]


def tried(*rows: tuple[int, float, float, bool, bool]) -> pl.DataFrame:
    """Trials with number, objectives, and whether they are feasible and offered; all else does not matter here."""
    named = [
        dict(zip(("trial", *("log_return_per_bar", "entropy"), "feasible", "offered"), r, strict=True)) for r in rows
    ]
    return pl.DataFrame(named).select(
        *(pl.col(name) if name in named[0] else pl.lit(1).cast(dtype).alias(name) for name, dtype in TRIED.items())
    )


ROWS = (
    (-1, 1e-4, 0.99, True, True),
    (0, 3e-4, 0.8, True, False),
    (1, 2e-4, 0.95, True, True),
    (2, 9e-4, 0.5, False, False),
)


def test_a_search_shows_its_feasible_trials_the_best_and_the_chosen() -> None:
    search = BarrierSearch(TripleBarrier(), 1, None, tried(*ROWS))
    picture = search_picture({20: search}, 0.9, "Search", is_simulated=True)
    assert len(re.findall(f'h0" stroke="{FAINT}"', picture)) == len(re.findall(f'h0" stroke="{BLUE}"', picture)) == 2
    assert len(re.findall("<circle[^>]*" + RED, picture)) == 2
    assert {"20 bars: by trial", "20 bars: by entropy"} < set(texts(picture))


def test_pictures_fit_into_the_column_of_the_ui_and_long_words_are_broken(bars: pl.DataFrame) -> None:
    search = BarrierSearch(TripleBarrier(), 1, None, tried(*ROWS))
    title = "Barriers for BTCUSDT from 2024-03-01, searched on the 90 days before"
    picture = search_picture({20: search, 288: search}, 0.9, title, is_simulated=True)
    for each in (picture, drawn(bars, LabelSet(horizons=[10]))):
        assert float(ElementTree.fromstring(each).attrib["width"]) <= 520
    lines = texts(picture)
    assert " ".join(lines[:2]) == title
    assert all(len(line) * 5.5 < 520 for line in lines)
    (moved,) = re.findall(r"translate\(0 (\d+)\)", picture)
    assert int(moved) == 17 * 3


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame(schema=TRIED), "history too short"),
        (tried(ROWS[0], ROWS[3]), "none of 1 trials is feasible"),
    ],
)
def test_a_search_that_found_nothing_says_so(frame: pl.DataFrame, says: str) -> None:
    assert says in texts(
        search_picture({20: BarrierSearch(TripleBarrier(), None, "", frame)}, 0.9, "", is_simulated=False)
    )


def test_a_cell_puts_values_where_its_axes_say() -> None:
    chart = cell(1, 2, (100.0, 80.0), (Axis(0, 10, []), Axis(-1, 1, [])))
    assert chart.place((0, 1)) == f"{chart.left:g} {chart.top:g}"
    assert chart.place((10, -1)) == f"{chart.left + chart.width:g} {chart.top + chart.height:g}"
    assert chart.left > 200
    assert chart.top > 80
