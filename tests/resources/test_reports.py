"""Pages people read, and the step that puts any file into its place."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from nightfold.errors import LakeError
from resources.reports import write_report


def test_a_page_lies_under_its_name_with_the_hash_of_its_content(tmp_path: Path) -> None:
    page = write_report(tmp_path / "reports", "baseline/tearsheet.html", "<p>ä</p>".encode())
    assert page.path == tmp_path / "reports" / "baseline" / "tearsheet.html"
    assert page.path.read_text(encoding="utf-8") == "<p>ä</p>"
    assert page.digest == hashlib.sha256("<p>ä</p>".encode()).hexdigest()[:16]
    assert [path.name for path in page.path.parent.iterdir()] == ["tearsheet.html"]


def test_a_page_is_replaced(tmp_path: Path) -> None:
    write_report(tmp_path, "page.html", b"old")
    assert write_report(tmp_path, "page.html", b"new").path.read_text() == "new"


def test_a_full_disk_leaves_the_page_before_it(tmp_path: Path, full_disk: Callable[[int], None]) -> None:
    write_report(tmp_path, "page.html", b"old")
    full_disk(0)
    with pytest.raises(LakeError, match=r"page.html could not be written: No space left on device; the page before it"):
        write_report(tmp_path, "page.html", b"new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_file_in_the_way_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "baseline").write_text("in the way")
    with pytest.raises(LakeError, match=r"tearsheet.html could not be written"):
        write_report(tmp_path, "baseline/tearsheet.html", b"page")
