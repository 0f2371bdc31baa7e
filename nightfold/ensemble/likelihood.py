"""The tasks' losses as functions of a forecast value, in nats, with slope and curvature.

Losses of values are told in units of a plain forecast's loss, as a normal or a Laplace density of that spread would
count them; so that "as much evidence as so many rows" means the same in every task.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Loss = Callable[[Array], tuple[Array, Array, Array]]
"""Loss, slope and curvature at forecast values, elementwise."""

SMOOTH = 0.01
"""Half-width, in units of the plain forecast's loss, over which the kink of the pinball loss is rounded."""


def log_loss(value: Array) -> tuple[Array, Array, Array]:
    """Loss of the probability given to what came; infinite where it is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(value > 0, -np.log(value), np.inf)
        return loss, -1 / value, 1 / value**2


def squared_loss(label: Array, square: float) -> Loss:
    """Half the squared error over the plain forecast's mean squared error."""

    def loss(value: Array) -> tuple[Array, Array, Array]:
        miss = value - label
        return miss**2 / (2 * square), miss / square, np.full(len(value), 1 / square)

    return loss


def pinball_loss(label: Array, level: Array | float, plain: float) -> Loss:
    """Pinball loss over the plain forecast's, its kink rounded so that it can be followed to the least value."""
    width = SMOOTH * plain

    def loss(value: Array) -> tuple[Array, Array, Array]:
        miss = label - value
        root = np.sqrt(miss**2 + width**2)
        return (
            ((np.asarray(level) - 0.5) * miss + 0.5 * root) / plain,
            (0.5 - np.asarray(level) - 0.5 * miss / root) / plain,
            0.5 * width**2 / (root**3 * plain),
        )

    return loss
