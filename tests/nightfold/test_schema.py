from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from nightfold.errors import SchemaError
from nightfold.schema import TIME, Column, Table

TABLE = Table(
    "sample",
    {
        "symbol": Column(pl.String, "Who."),
        "open_time": Column(TIME, "When."),
        "price": Column(pl.Float64, "Above 0.", above=0),
        "share": Column(pl.Float32, "Between 0 and 1, or unknown.", nullable=True, minimum=0, maximum=1),
        "count": Column(pl.Int64, "How many, or unknown.", nullable=True, minimum=0),
        "flag": Column(pl.Boolean, "Yes or no."),
    },
)
ROWS = 4


def moment(day):
    return datetime(2024, 1, day, tzinfo=UTC)


def sample(**columns):
    good = {
        "symbol": ["A", "A", "B", "B"],
        "open_time": [moment(1), moment(2), moment(1), moment(2)],
        "price": [1.0, 2.0, 3.0, 4.0],
        "share": [0.0, 0.5, None, 1.0],
        "count": [0, None, 2, 3],
        "flag": [True, False, True, False],
    }
    return pl.DataFrame({**good, **columns}, schema=TABLE.dtypes)


def test_a_sound_frame_comes_back_as_it_was():
    frame = sample()
    assert TABLE.validate(frame) is frame


def test_a_frame_of_no_rows_is_sound():
    assert TABLE.validate(TABLE.empty()).is_empty()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"symbol": ["A", None, "B", "B"]}, "symbol: not_nullable"),
        ({"price": [1.0, 0.0, 3.0, 4.0]}, "price: greater_than(0)"),
        ({"price": [1.0, None, 3.0, 4.0]}, "price: not_nullable"),
        ({"price": [1.0, float("inf"), 3.0, 4.0]}, "price: finite"),
        ({"price": [1.0, float("nan"), 3.0, 4.0]}, "price: finite"),
        ({"share": [0.0, -0.25, None, 1.0]}, "share: greater_than_or_equal_to(0) fails 1 times, first with -0.25"),
        ({"share": [0.0, 1.25, None, 1.5]}, "share: less_than_or_equal_to(1) fails 2 times, first with 1.25"),
        ({"share": [float("nan"), 0.5, None, 1.0]}, "share: finite"),
        ({"count": [0, None, -2, 3]}, "count: greater_than_or_equal_to(0)"),
        ({"flag": [True, None, True, False]}, "flag: not_nullable"),
        ({"open_time": [moment(1), moment(1), moment(1), moment(2)]}, "multiple_fields_uniqueness fails 2 times"),
        ({"open_time": [moment(2), moment(1), moment(1), moment(2)]}, "not sorted by symbol, open_time"),
        ({"symbol": ["B", "B", "A", "A"]}, "not sorted by symbol, open_time"),
    ],
)
def test_each_kind_of_fault_is_refused_by_name(columns, words):
    with pytest.raises(SchemaError, match="sample") as refused:
        TABLE.validate(sample(**columns))
    assert words in str(refused.value)


def test_every_fault_is_listed_at_once():
    with pytest.raises(SchemaError) as refused:
        TABLE.validate(sample(price=[-1.0, 2.0, 3.0, 4.0], share=[2.0, 0.5, None, 1.0], symbol=["B", "A", "B", "B"]))
    for words in ("price: greater_than(0)", "share: less_than_or_equal_to(1)", "not sorted"):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        sample().drop("flag"),
        sample().with_columns(extra=1),
        sample().select(reversed(sample().columns)),
        sample().with_columns(pl.col("share").cast(pl.Float64)),
        sample().with_columns(pl.col("open_time").cast(pl.Datetime("us", "UTC"))),
    ],
    ids=["column missing", "column too many", "columns in another order", "type of a number", "unit of time"],
)
def test_other_columns_or_types_are_refused(wrong):
    with pytest.raises(SchemaError, match="`sample` breaks its schema"):
        TABLE.validate(wrong)


def test_repeats_may_be_allowed_but_disorder_is_not():
    table = Table("raw", TABLE.columns, unique=False)
    repeated = sample(open_time=[moment(1), moment(1), moment(1), moment(2)])
    assert table.validate(repeated) is repeated
    with pytest.raises(SchemaError, match="not sorted"):
        table.validate(sample(open_time=[moment(2), moment(1), moment(1), moment(2)]))


NUMBER = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, float("nan"), float("inf"), float("-inf"), None])
FRAMES = st.fixed_dictionaries(
    {
        "symbol": st.lists(st.sampled_from(["A", "B", None]), min_size=ROWS, max_size=ROWS),
        "open_time": st.lists(st.sampled_from([moment(1), moment(2), None]), min_size=ROWS, max_size=ROWS),
        "price": st.lists(NUMBER, min_size=ROWS, max_size=ROWS),
        "share": st.lists(NUMBER, min_size=ROWS, max_size=ROWS),
        "count": st.lists(st.sampled_from([-1, 0, 1, None]), min_size=ROWS, max_size=ROWS),
        "flag": st.lists(st.sampled_from([True, False, None]), min_size=ROWS, max_size=ROWS),
    }
)


@settings(max_examples=150)
@given(FRAMES, st.sets(st.sampled_from(list(TABLE.columns))))
def test_the_quick_pass_agrees_with_pandera(columns, spoiled):
    frame = sample(**{name: values for name, values in columns.items() if name in spoiled})
    assert accepts(TABLE, frame) == (passes_pandera(TABLE, frame) and is_sorted(frame))


def accepts(table, frame):
    try:
        table.validate(frame)
    except SchemaError:
        return False
    return True


def passes_pandera(table, frame):
    try:
        table.pandera.validate(frame, lazy=True)
    except SchemaErrors:
        return False
    return True


def is_sorted(frame):
    keys = list(zip(frame["symbol"], frame["open_time"], strict=True))
    return None in {part for key in keys for part in key} or keys == sorted(keys)


def test_absent_columns_become_nulls_where_they_may_be_null():
    conformed = TABLE.conform(sample().drop("share").select(reversed(sample().drop("share").columns)))
    assert conformed.schema == pl.Schema(TABLE.dtypes)
    assert conformed["share"].null_count() == ROWS


def test_an_absent_column_that_is_needed_is_refused():
    with pytest.raises(SchemaError, match="lacks the columns price"):
        TABLE.conform(sample().drop("price"))


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(SchemaError, match="wrong type"):
        TABLE.conform(sample().with_columns(count=pl.lit("many")))
