"""Which features an experiment uses, and how far back they look together."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Self

from pydantic import model_validator

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features.catalog import CATALOG, SETS
from nightfold.features.feature import Feature
from nightfold.spec import Spec

_LISTED_BY = "nightfold features --page"


class FeatureSelection(Spec):
    """Features by set, group, name or pattern; the whole of the sets where nothing narrower is named."""

    sets: list[str] = ["default"]
    """Sets to choose from: `default`, `order_flow`, `cross_asset`."""
    groups: list[str] = []
    """Groups to take whole, such as `volatility`."""
    names: list[str] = []
    """Single features to take."""
    patterns: list[str] = []
    """Features to take by pattern, such as `rsi_*`."""
    exclude: list[str] = []
    """Groups, names or patterns to leave out of what was taken."""

    @model_validator(mode="after")
    def _check_words(self) -> Self:
        if not self.resolve():
            raise ConfigError(
                f"`features` chooses none: `exclude` {self.exclude} leaves nothing of what `sets` {self.sets}, "
                f"`groups` {self.groups}, `names` {self.names} and `patterns` {self.patterns} take; leave one in."
            )
        return self

    def resolve(self) -> list[str]:
        """List the chosen features in the order of the catalog.

        Raises
        ------
        UnknownNameError
            If a set, group, name or pattern stands for nothing.

        Examples
        --------
        >>> FeatureSelection(patterns=["rsi_*"], exclude=["rsi_28"]).resolve()
        ['rsi_7', 'rsi_14']
        """
        for name in self.sets:
            if name not in SETS:
                raise UnknownNameError("feature set", name, SETS)
        offered = [feature for name in self.sets for feature in SETS[name].values()]
        everything = not (self.groups or self.names or self.patterns)
        taken = {feature.name for feature in offered if everything}
        taken |= _meant("feature group", self.groups, offered, lambda feature: [feature.group])
        taken |= _meant("feature", self.names, offered, lambda feature: [feature.name])
        taken |= _meant("feature pattern", self.patterns, offered, lambda feature: [feature.name])
        taken -= _meant("excluded feature", self.exclude, offered, lambda feature: [feature.name, feature.group])
        return [feature.name for feature in offered if feature.name in taken]


def by_set(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort chosen features by the set that each belongs to.

    Returns
    -------
    dict
        Set to names, both in the order of the catalog; sets of which nothing was chosen are not there.

    Examples
    --------
    >>> by_set(["dominance_20", "rsi_14"])
    {'default': ['rsi_14'], 'cross_asset': ['dominance_20']}
    """
    wanted = set(names)
    chosen = {name: [each for each in features if each in wanted] for name, features in SETS.items()}
    return {name: found for name, found in chosen.items() if found}


def max_lookback(names: Iterable[str]) -> int:
    """Bars before the current one that the named features need together; 0 for none.

    Raises
    ------
    UnknownNameError
        If a name is not in the catalog.

    Examples
    --------
    >>> max_lookback(["log_return_5", "volatility_20"])
    20
    """
    names = list(names)
    for name in names:
        if name not in CATALOG:
            raise UnknownNameError("feature", name, CATALOG, _LISTED_BY)
    return max((CATALOG[name].lookback for name in names), default=0)


def row_lookback(names: Iterable[str], window: int | None) -> int:
    """Bars before the current one that a model's row reads: its features' longest, over its window where it has one.

    Examples
    --------
    >>> row_lookback(["log_return_5", "volatility_20"], None), row_lookback(["volatility_20"], 64)
    (20, 83)
    """
    return max_lookback(names) + (window or 1) - 1


def _meant(kind: str, words: list[str], offered: Sequence[Feature], labels: Callable[[Feature], list[str]]) -> set[str]:
    """Names of the features that have a label which one of the words matches."""
    meant = set()
    for word in words:
        found = {feature.name for feature in offered if any(fnmatchcase(label, word) for label in labels(feature))}
        if not found:
            known = {label for feature in offered for label in labels(feature)}
            raise UnknownNameError(kind, word, _alike(word, known), None if kind == "feature group" else _LISTED_BY)
        meant |= found
    return meant


def _alike(word: str, known: set[str]) -> set[str]:
    """List what a word may have meant: for the beginning of names, such as `rsy_*`, beginnings as long."""
    stem = word.removesuffix("*")
    return {f"{name[: len(stem)]}*" for name in known} if stem and stem != word else known
