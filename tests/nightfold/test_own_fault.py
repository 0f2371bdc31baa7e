"""What goes wrong in files of one's own is told with file, line and words."""

from pathlib import Path

import pytest

from nightfold.errors import ConfigError, SchemaError
from nightfold.own_fault import own_code
from nightfold.own_file import load_own

MINE = """
import json

def inner():
    raise RuntimeError("no luck.")

def outer():
    return inner()

def deeper():
    return json.loads("{")
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("outer", "mine.py, line 5, raised RuntimeError: no luck. Mend it."),
        ("deeper", "mine.py, line 11, raised JSONDecodeError: Expecting property name"),
    ],
)
def test_the_innermost_line_of_the_file_is_named_with_the_words_of_the_error(
    tmp_path: Path, name: str, said: str
) -> None:
    place = f"{tmp_path / 'mine.py'}:{name}"
    (tmp_path / "mine.py").write_text(MINE)
    _, function = load_own(place, "function", "mine.py:outer")
    assert callable(function)
    with pytest.raises(ConfigError) as caught, own_code(place, "Mend it."):
        function()
    assert str(caught.value).startswith(f"`own` is {place!r}, and ")
    assert said in str(caught.value)


def test_where_no_line_of_the_file_ran_that_of_what_was_called_is_named() -> None:
    said = r"test_own_fault\.py, line \d+, raised KeyError: 'x'\. Mend it\."
    with pytest.raises(ConfigError, match=said), own_code("nosuch.py:x", "Mend it."):
        {}["x"]


def test_errors_of_ours_and_interrupts_pass() -> None:
    with pytest.raises(SchemaError, match=r"^as it is$"), own_code("mine.py:x", "Mend it."):
        raise SchemaError("as it is")
    with pytest.raises(KeyboardInterrupt), own_code("mine.py:x", "Mend it."):
        raise KeyboardInterrupt
