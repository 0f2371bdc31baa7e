"""What was tried and opened, kept in the lake: results of variants, rounds of searches, looks at held-out days."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from nightfold.improve.round import Round
from nightfold.improve.stretch import Opening
from nightfold.spec import Spec
from resources.lake import Lake

_RESULTS, _ROUNDS, _OPENINGS = "variant_results", "improve_rounds", "holdout_openings"
_CARD = "card.json"

S = TypeVar("S", bound=Spec)


class Made(Spec):
    """One result of a variant, and what it was made by."""

    experiment: str
    """Name of the variant."""
    overrides: dict[str, Any]
    made_by: str
    """Hash of code, settings and days: a result made by others is made again."""


def made_by(lake: Lake, experiment: str, variant: str) -> str | None:
    """Tell by what a result of an experiment's variant was made; None where there is none."""
    if lake.version(_RESULTS, f"universe={experiment}/{variant}") is None:
        return None
    return _read(lake, _RESULTS, experiment, variant, Made).made_by


def store_made(lake: Lake, experiment: str, variant: str, made: Made) -> None:
    """Keep what a result was made by."""
    _write(lake, _RESULTS, experiment, variant, made)


def stored_rounds(lake: Lake, experiment: str, search: str | None = None) -> list[Round]:
    """Read the rounds of a search in order, or of all searches from an experiment."""
    rounds = [_read(lake, _ROUNDS, experiment, name, Round) for name in lake.as_ofs(_ROUNDS, experiment)]
    return [each for each in rounds if search in {None, each.search}]


def store_round(lake: Lake, experiment: str, made: Round) -> None:
    """Keep a round."""
    _write(lake, _ROUNDS, experiment, f"{made.search}-{made.number:04d}", made)


def stored_openings(lake: Lake, experiment: str) -> list[Opening]:
    """Read all looks at days held out from searches, the oldest first."""
    return [_read(lake, _OPENINGS, experiment, name, Opening) for name in lake.as_ofs(_OPENINGS, experiment)]


def store_opening(lake: Lake, opening: Opening, stored: Sequence[Opening]) -> None:
    """Keep a look; one that was announced before takes the place of its announcement."""
    same = (opening.start, opening.look)
    announced = [
        place for place, each in enumerate(stored) if each.measures is None and (each.start, each.look) == same
    ]
    place = announced[-1] if announced else len(stored)
    _write(lake, _OPENINGS, opening.experiment, f"{place:04d}", opening)


def _write(lake: Lake, key: str, experiment: str, name: str, card: Spec) -> None:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / _CARD).write_text(card.model_dump_json(indent=1))
        lake.write_folder(key, f"universe={experiment}/{name}", card.fingerprint, folder)


def _read(lake: Lake, key: str, experiment: str, name: str, kind: type[S]) -> S:
    with TemporaryDirectory() as scratch:
        folder = lake.fetch_folder(key, f"universe={experiment}/{name}", Path(scratch))
        return kind.model_validate_json((folder / _CARD).read_text())
