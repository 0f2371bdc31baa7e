"""The catalog as a page to read."""

from itertools import groupby

from nightfold.features.catalog import FEATURES


def features_page() -> str:
    """Write the default set as Markdown, a table for each group.

    Returns
    -------
    str
        The text of ``docs/features.md``.
    """
    parts = [
        "# Features",
        f"The default set: {len(FEATURES)} numbers a bar, from open, high, low, close and volume alone. None carries a "
        "price level or a volume level. *Lookback* is in bars before the current one, counted since the last hole; "
        "rows with fewer are null, the next row is not. This page is made from `nightfold/features/catalog.py`.",
    ]
    for group, features in groupby(FEATURES.values(), key=lambda feature: feature.group):
        lines = ["| name | formula | lookback | null when | reference |", "|---|---|---|---|---|"]
        for feature in features:
            formula = feature.formula.replace("|", r"\|")
            lines.append(
                f"| `{feature.name}` | {formula} | {feature.lookback} | {feature.nulls} | {feature.reference} |"
            )
        parts += [f"## {group.capitalize()}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
