"""The comparison of models as one HTML file that loads nothing."""

from collections.abc import Sequence

from markupsafe import Markup

from nightfold.comparison import LEVEL_WORDS, Comparison, best_words, level_table, spelled
from nightfold.tearsheet.template import environment


def render_comparison(
    comparison: Comparison, title: str, note: str = "", pictures: Sequence[str] = (), remarks: Sequence[str] = ()
) -> str:
    """Lay a comparison out as a page, with SVG pictures; equal input gives equal text, all words of it escaped."""
    return (
        environment()
        .get_template("comparison.html")
        .render(
            title=title,
            note=note,
            pictures=[Markup(drawn) for drawn in pictures],  # noqa: S704 - drawn by us, its words escaped
            remarks=list(remarks),
            metric=comparison.metric,
            constant=comparison.constant,
            models=spelled(comparison.models),
            best=[best_words(row).removeprefix("- ").replace("`", "") for row in comparison.best.iter_rows(named=True)],
            levels=level_table(comparison.levels) if comparison.levels.height else None,
            level_words=LEVEL_WORDS,
            correlations={h: spelled(table) for h, table in comparison.correlations.items() if table.height > 1},
        )
    )
