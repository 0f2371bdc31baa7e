"""Time-series networks of neuralforecast as bodies: their modules over our windows, trained as all other networks.

The library forecasts the next steps of the series it is given. Here the label is that one step, whatever its horizon,
so windows, purging, weights, early stopping and files are the same as everywhere; its own trainer, loader and scalers
stay out of it. Of its dropout, which draws from what all of torch shares, nothing is used.
"""

import logging
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nightfold.models.neural.series_spec import NHITSSpec, PatchTSTSpec, SeriesSpec, TFTSpec

_LOCK = Lock()
_VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")


class Series(nn.Module):
    """One network of the library.

    Parameters
    ----------
    spec
        Its kind and shape.
    columns
        Features it reads, the series first.
    seed
        Decides the weights it starts with.
    """

    def __init__(self, spec: SeriesSpec, columns: Sequence[int], seed: int) -> None:
        super().__init__()
        self.columns = list(columns)
        with _seeded(seed):
            self.inner = _built(spec, len(self.columns) - 1, seed % 2**32)
        del self.inner.loss, self.inner.valid_loss  # ours is used; theirs are one and the same, with weights of its own

    def forward(self, windows: Tensor) -> Tensor:
        """Give `hidden` numbers for the next step of each window, where its users have quantiles: (windows, hidden)."""
        series, others = windows[:, :, self.columns[:1]], windows[:, :, self.columns[1:]]
        said: Tensor = self.inner(
            {
                "insample_y": series,
                "insample_mask": torch.ones_like(series),
                "hist_exog": others if others.shape[-1] else None,
                "futr_exog": None,
                "stat_exog": None,
            }
        )
        return said[:, 0]


def _built(spec: SeriesSpec, others: int, seed: int) -> nn.Module:
    from neuralforecast.losses.pytorch import MQLoss
    from neuralforecast.models import NHITS, TFT, PatchTST

    levels = [(place + 1) / (spec.hidden + 1) for place in range(spec.hidden)]
    shape: dict[str, Any] = {
        "h": 1,
        "input_size": spec.window,
        "loss": MQLoss(quantiles=levels),  # only their number counts
        "random_seed": seed,
    }
    exogenous = {"hist_exog_list": [str(place) for place in range(others)]} if others else {}
    network: nn.Module
    match spec:
        case NHITSSpec():
            blocks = len(spec.pools)
            network = NHITS(
                stack_types=["identity"] * blocks,
                n_blocks=[1] * blocks,
                mlp_units=[[spec.hidden, spec.hidden]] * spec.depth,
                n_pool_kernel_size=[min(pool, spec.window) for pool in spec.pools],
                n_freq_downsample=[1] * blocks,
                **exogenous,
                **shape,
            )
        case TFTSpec():
            network = TFT(
                hidden_size=spec.hidden,
                n_head=spec.heads,
                n_rnn_layers=spec.depth,
                dropout=0.0,
                attn_dropout=0.0,
                **exogenous,
                **shape,
            )
        case PatchTSTSpec():
            network = PatchTST(
                encoder_layers=spec.depth,
                n_heads=spec.heads,
                hidden_size=spec.hidden,
                linear_hidden_size=2 * spec.hidden,
                patch_len=min(spec.patch, spec.window),
                stride=max(min(spec.patch, spec.window) // 2, 1),
                dropout=0.0,
                fc_dropout=0.0,
                head_dropout=0.0,
                attn_dropout=0.0,
                **shape,
            )
        case _:
            raise TypeError(type(spec).__name__)
    return network


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let the library draw its first weights from what all threads share, and put that back as it was."""
    log = logging.getLogger("lightning_fabric.utilities.seed")
    with _LOCK, torch.random.fork_rng(devices=[]):
        level, plain, arrays = log.level, random.getstate(), np.random.get_state()
        variables = {name: os.environ.get(name) for name in _VARIABLES}
        log.setLevel(logging.WARNING)
        try:
            torch.manual_seed(seed)
            yield
        finally:
            log.setLevel(level)
            random.setstate(plain)
            np.random.set_state(arrays)
            for name, value in variables.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
