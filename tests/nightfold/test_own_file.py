"""Names taken from files outside the project."""

from pathlib import Path

import pytest

from nightfold.errors import ConfigError
from nightfold.own_file import load_own


def test_a_name_is_taken_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("value = [1, 2]\n")
    assert load_own(f"{file}:value", "list", "mine.py:value") == ("value", [1, 2])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("mine.py", "`own` is 'mine.py'; it must be a file and a list, such as mine.py:value"),
        ("mine.py:two words", "it must be a file and a list"),
        ("mine.py:nosuch", "mine.py has no list `nosuch`"),
        ("nosuch.py:value", "nosuch.py, which is no Python file"),
        ("broken.py:value", "broken.py cannot be executed: NameError: name 'undefined' is not defined"),
    ],
)
def test_what_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("value = 1\n")
    Path("broken.py").write_text("undefined\n")
    with pytest.raises(ConfigError, match=message):
        load_own(place, "list", "mine.py:value")
