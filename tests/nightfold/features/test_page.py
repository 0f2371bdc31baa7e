"""The page of features is what the catalog says."""

from pathlib import Path

from nightfold.features.catalog import CATALOG
from nightfold.features.page import features_page

PAGE = Path(__file__).parents[3] / "docs" / "features.md"


def test_the_page_in_docs_is_made_from_the_catalog_as_it_is_now() -> None:
    assert PAGE.read_text() == features_page(), "`nightfold features --page > docs/features.md` writes it"


def test_the_page_has_one_line_a_feature() -> None:
    lines = features_page().splitlines()
    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == list(CATALOG)
