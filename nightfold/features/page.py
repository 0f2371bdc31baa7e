"""The catalog as a page to read."""

from collections.abc import Iterable
from itertools import groupby

from nightfold.features.catalog import FEATURES, SETS
from nightfold.features.feature import Feature

_FURTHER = {
    "order_flow": "Chosen by `sets: [default, order_flow]`. Needs columns beside prices and volume: `quote_volume`, "
    "`trades`, `taker_buy_base`. A value is null where one of them is null in its window.",
    "cross_asset": "Chosen by `sets: [default, cross_asset]`, with a `leader` in `universe.yaml`. Needs the bars of "
    "several symbols, and sees of the others just the bars that opened at the same time.",
}


def features_page() -> str:
    """Write the sets as Markdown, a table for each group.

    Returns
    -------
    str
        The text of ``docs/features.md``.
    """
    parts = [
        "# Features",
        f"The default set: {len(FEATURES)} numbers a bar, from open, high, low, close and volume alone. None carries a "
        "price level or a volume level. *Lookback* is in bars before the current one, counted since the last hole; "
        "rows with fewer are null, the next row is not. This page is made from `nightfold/features/catalog.py` by "
        "`nightfold features --page`.",
    ]
    for group, features in groupby(FEATURES.values(), key=lambda feature: feature.group):
        parts += [f"## {_title(group)}", _table(features)]
    parts += ["# Further sets"]
    for name, text in _FURTHER.items():
        parts += [f"## {_title(name)}", text, _table(SETS[name].values())]
    return "\n\n".join(parts) + "\n"


def _title(name: str) -> str:
    return name.capitalize().replace("_", " ")


def _table(features: Iterable[Feature]) -> str:
    lines = ["| name | formula | lookback | null when | reference |", "|---|---|---|---|---|"]
    for feature in features:
        formula = feature.formula.replace("|", r"\|")
        lines.append(f"| `{feature.name}` | {formula} | {feature.lookback} | {feature.nulls} | {feature.reference} |")
    return "\n".join(lines)
