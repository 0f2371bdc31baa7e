"""How the ensembles of an experiment were blended and judged, as they are stored."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assets.experiment import Plan
from resources.lake import Lake


def stored_blends(plan: Plan, lake: Lake, universe: str) -> dict[str, dict[str, Any]]:
    """Read weights and gate of the ensemble at the strategy's horizon, by as-of; one of an older version has none."""
    found = {}
    for as_of in lake.as_ofs(plan.key("ensemble"), universe):
        with TemporaryDirectory() as scratch:
            folder = lake.fetch_folder(plan.key("ensemble"), f"universe={universe}/{as_of}", Path(scratch))
            card = folder / "judgement.json"
            judged = json.loads(card.read_text()) if card.exists() else {}
        found[as_of] = judged.get(str(plan.experiment.strategy.horizon), {})
    return {as_of: each for as_of, each in found.items() if each}
