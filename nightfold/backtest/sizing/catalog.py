"""All rules of size by name, with what they compute and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from nightfold.backtest.sizing.bet import Sizing
from nightfold.backtest.sizing.fixed import FixedFraction, RiskAtStop, VolatilityTarget
from nightfold.backtest.sizing.kelly import Kelly
from nightfold.backtest.sizing.probability import SizeFromProbability
from nightfold.errors import UnknownNameError

SizingChoice = Annotated[
    FixedFraction | VolatilityTarget | Kelly | SizeFromProbability | RiskAtStop, Field(discriminator="rule")
]
"""A rule with its settings, as a file says it: `{rule: kelly, part: 0.25}`."""


@dataclass(frozen=True, slots=True)
class SizingEntry:
    """A rule as it is listed.

    Parameters
    ----------
    name
        What `rule` says in a file.
    spec
        Its settings, with the method that computes the size.
    formula, reference
        What is computed, in words, and where it comes from.
    """

    name: str
    spec: type[Sizing]
    formula: str
    reference: str


_ENTRIES = (
    SizingEntry(
        "fixed_fraction",
        FixedFraction,
        "The same fraction of equity for every position.",
        "Vince (1990), Portfolio Management Formulas",
    ),
    SizingEntry(
        "volatility_target",
        VolatilityTarget,
        "Volatility wanted a year over the symbol's own.",
        "Moskowitz, Ooi and Pedersen (2012), Time Series Momentum, Journal of Financial Economics 104",
    ),
    SizingEntry(
        "kelly",
        Kelly,
        "A part of the fraction with the greatest mean log growth over win, neither and loss, each after cost; for two "
        "outcomes p / loss - (1 - p) / gain.",
        "Kelly (1956), A New Interpretation of Information Rate; Thorp (2006), The Kelly Criterion, for parts of it",
    ),
    SizingEntry(
        "size_from_probability",
        SizeFromProbability,
        "Size times 2 N(z) - 1, where z is the probability less chance (1 over the classes) in standard deviations of "
        "an outcome with that probability.",
        "López de Prado (2018), Advances in Financial Machine Learning, ch. 10.3",
    ),
    SizingEntry(
        "risk_at_stop",
        RiskAtStop,
        "Share of equity lost at the stop over the distance of the stop.",
        "Tharp (1998), Trade Your Way to Financial Freedom: the percent risk model",
    ),
)

SIZINGS: Mapping[str, SizingEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find_sizing(name: str) -> SizingEntry:
    """Look a rule up.

    Raises
    ------
    UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> find_sizing("kelly").spec.__name__
    'Kelly'
    """
    if name not in SIZINGS:
        raise UnknownNameError("sizing", name, SIZINGS)
    return SIZINGS[name]
