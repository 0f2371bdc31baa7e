"""Parameters that people choose: frozen, closed, and with a fingerprint that changes when a value does."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of all parameter sets: immutable, refusing unknown keys, documented field by field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the values; equal values in any order give equal digits."""
        return fingerprint(self.model_dump(mode="json"))


def fingerprint(value: Mapping[str, Any] | list[Any]) -> str:
    """Hash plain JSON data.

    Parameters
    ----------
    value
        Mappings, lists, strings, numbers, booleans and None; the order of mapping keys is ignored.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
