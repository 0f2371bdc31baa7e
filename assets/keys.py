"""Asset keys and code versions: an asset's version holds its code, its settings, and those of everything above it."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

import nightfold
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


def code_version(code: str, settings: Mapping[str, Any], *above: str) -> str:
    """Version of an asset's code and settings.

    Parameters
    ----------
    code
        Packages and modules of `nightfold` that decide what it makes, such as ``features`` or ``splits training``.
    settings
        Everything from files that shapes its contents.
    above
        Code versions of the assets it reads: a change up there shows down here at once.
    """
    sources = [_source(name) for name in code.split()]
    return fingerprint({"code": sources, "settings": dict(settings), "above": list(above)})


@cache
def _source(name: str) -> str:
    """Digest of the source of a package or module of the domain."""
    place = Path(nightfold.__path__[0], *name.split("."))
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
