"""What docs/labels.md shows in Python runs, and prints what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "labels.md").read_text()
SHOWN = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_of_the_page_run_one_after_another_and_print_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(SHOWN) == PAGE.count("```python") == 2
    names: dict[str, Any] = {}
    for code, printed in SHOWN:
        exec(code, names)
        assert capsys.readouterr().out == printed
