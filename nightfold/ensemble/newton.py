"""Least values of smooth convex functions of a few numbers, found the same way every time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Derivatives = Callable[[Array], tuple[float, Array, Array]]
"""Value, gradient and curvature at a point; the value is infinite where the function is not defined."""

_STEPS, _HALVINGS, _ENOUGH = 200, 60, 1e-14


def least(derivatives: Derivatives, start: Array, *, keeps_sum: bool = False) -> Array:
    """Go downhill by Newton steps, each halved until it leads down.

    Parameters
    ----------
    derivatives
        Of a strictly convex function.
    start
        A point where it is defined.
    keeps_sum
        Move only so that the numbers keep their sum.

    Examples
    --------
    >>> def bowl(x: Array) -> tuple[float, Array, Array]:
    ...     return float(((x - [1, 2]) ** 2).sum()), 2 * (x - [1, 2]), 2 * np.eye(2)
    >>> least(bowl, np.zeros(2)).tolist(), least(bowl, np.array([0.5, 0.5]), keeps_sum=True).tolist()
    ([1.0, 2.0], [0.0, 1.0])
    """
    point = start
    value, gradient, curvature = derivatives(point)
    for _ in range(_STEPS):
        step = _direction(gradient, curvature, keeps_sum)
        fall = -float((gradient * step).sum())
        if fall < _ENOUGH * max(1.0, abs(value)):
            break
        for _ in range(_HALVINGS):
            there = derivatives(point + step)
            if there[0] <= value - 1e-4 * fall:
                break
            step, fall = step / 2, fall / 2
        else:
            break
        point = point + step
        value, gradient, curvature = there
    return point


def _direction(gradient: Array, curvature: Array, keeps_sum: bool) -> Array:
    if not keeps_sum:
        return np.asarray(np.linalg.solve(curvature, -gradient))
    size = len(gradient)
    system = np.ones((size + 1, size + 1))
    system[:size, :size], system[size, size] = curvature, 0
    return np.asarray(np.linalg.solve(system, np.append(-gradient, 0.0))[:size])
