"""Asset keys and code versions: an asset's version holds its settings and those of everything above it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from nightfold.interval import Interval
from nightfold.spec import fingerprint
from nightfold.universe import Universe

OWNER = "team:nightfold"


def data_key(universe: Universe, name: str, interval: Interval | None = None) -> str:
    """Name of a data asset: plain for the default interval, else behind the interval, `1h/bars`."""
    interval = interval or universe.interval
    return name if interval == universe.interval else f"{interval}/{name}"


def asset_key(name: str) -> dg.AssetKey:
    """Return the Dagster key of a lake key, `1h/bars` or `baseline/predictions`."""
    return dg.AssetKey(name.split("/"))


def code_version(revision: int, settings: Mapping[str, Any], *above: str) -> str:
    """Version of an asset's code and settings.

    Parameters
    ----------
    revision
        Raised by hand when the asset's own code changes what it makes.
    settings
        Everything from files that shapes its contents.
    above
        Code versions of the assets it reads: a change up there shows down here at once.
    """
    return fingerprint({"revision": revision, "settings": dict(settings), "above": list(above)})
