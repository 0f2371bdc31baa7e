"""Where networks compute: on what was set, or on a GPU where one is found."""

import torch

from nightfold.errors import ConfigError


def find_device(wanted: str) -> torch.device:
    """Turn a setting into a device.

    Parameters
    ----------
    wanted
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none.

    Examples
    --------
    >>> find_device("cpu").type
    'cpu'
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ConfigError("`device` is cuda and torch finds no GPU here; take auto or cpu.")
    return torch.device("cuda" if has_gpu and wanted != "cpu" else "cpu")
