"""What one pass over the training rows came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows.

    Parameters
    ----------
    number, of
        Which one it was, from 1, and how many there are at most.
    loss
        Weighted mean of the training loss over the pass, in the units the network learns in.
    score
        Proper score of the validation rows after it, as `nightfold.models.score.row_losses` has it; None without any.
    """

    number: int
    of: int
    loss: float
    score: float | None
