"""What people choose of a network: its shape, how it learns, and what a search may vary."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.models.contract import ModelSpec

if TYPE_CHECKING:
    from optuna import Trial


class NetworkSpec(ModelSpec):
    """What every network has: small, regularised and stopped early, since bars hold much noise and little else."""

    window: PositiveInt = 32
    """Bars each forecast looks at, the newest included."""
    hidden: PositiveInt = 32
    """Width of the hidden state."""
    depth: PositiveInt = 1
    """Layers on top of each other."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the hidden state that is silenced at random in training."""
    epochs: NonNegativeInt = 8
    """Most passes over the training rows. 0 forecasts the constant."""
    batch: PositiveInt = 256
    """Windows of a step."""
    learning_rate: PositiveFloat = 1e-3
    """Length of a step."""
    weight_decay: NonNegativeFloat = 1e-2
    """Share of the weights that is taken off, per unit of learning rate, in each step."""
    clip: PositiveFloat = 5.0
    """Standard deviations of the training rows beyond which a feature counts as that many."""
    early_stopping_epochs: PositiveInt = 3
    """Epochs without a lower validation score after which training stops."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it trains and forecasts; `auto`: on a GPU where there is one. Only the CPU gives the same bytes again."""


class LSTMSpec(NetworkSpec):
    """Long short-term memory."""


class GRUSpec(NetworkSpec):
    """Gated recurrent units: two thirds of the work of an LSTM."""


class TCNSpec(NetworkSpec):
    """Causal convolutions, each layer twice as far apart as the one before it."""

    depth: PositiveInt = 4
    """Layers; together they see `1 + 2 (kernel - 1) (2^depth - 1)` bars back at most."""
    kernel: PositiveInt = Field(default=2, ge=2)
    """Bars a convolution looks at."""


class TransformerSpec(NetworkSpec):
    """Attention in which each bar sees itself and earlier bars of its window."""

    window: PositiveInt = 64
    """Bars each forecast looks at, the newest included."""
    depth: PositiveInt = 2
    """Blocks on top of each other."""
    heads: PositiveInt = 4
    """Attention heads; they share the width."""

    @model_validator(mode="after")
    def _check_heads(self) -> "TransformerSpec":
        check_heads(self.hidden, self.heads)
        return self


class NextBarSpec(TransformerSpec):
    """The next-bar Transformer: log change of the next close, and how likely its sign is right."""

    window: PositiveInt = 128
    """Bars each forecast looks at, the newest included."""
    learning_rate: PositiveFloat = 1e-4
    """Length of a step."""
    confidence_weight: float = Field(default=0.3, ge=0)
    """What the cross-entropy of the confidence counts beside the Huber loss of the standardised change."""
    stride: PositiveInt = 4
    """Only windows that end so many bars apart are learnt from; every bar is forecast all the same."""


def check_heads(hidden: int, heads: int) -> None:
    """See that attention heads can share the hidden state evenly.

    Raises
    ------
    ConfigError
        If not.
    """
    if hidden % heads:
        raise ConfigError(f"`heads` is {heads}; it must divide `hidden`, which is {hidden}.")


def lstm_space(trial: "Trial") -> LSTMSpec:
    """Ask a trial for an LSTM."""
    return LSTMSpec(**_common(trial), depth=trial.suggest_int("depth", 1, 2))


def gru_space(trial: "Trial") -> GRUSpec:
    """Ask a trial for gated recurrent units."""
    return GRUSpec(**_common(trial), depth=trial.suggest_int("depth", 1, 2))


def tcn_space(trial: "Trial") -> TCNSpec:
    """Ask a trial for a convolutional network."""
    return TCNSpec(**_common(trial), kernel=trial.suggest_int("kernel", 2, 3))


def transformer_space(trial: "Trial") -> TransformerSpec:
    """Ask a trial for a Transformer."""
    return TransformerSpec(**_common(trial), depth=trial.suggest_int("depth", 1, 3))


def next_bar_space(trial: "Trial") -> NextBarSpec:
    """Ask a trial for a next-bar Transformer."""
    return NextBarSpec(
        window=trial.suggest_categorical("window", [128, 192, 256]),
        learning_rate=trial.suggest_categorical("learning_rate", [5e-5, 7.5e-5, 1e-4]),
        confidence_weight=trial.suggest_categorical("confidence_weight", [0.2, 0.3, 0.4, 0.5]),
        depth=trial.suggest_categorical("depth", [2, 4]),
        batch=trial.suggest_categorical("batch", [64, 128, 256]),
        epochs=trial.suggest_categorical("epochs", [4, 8, 16]),
    )


def _common(trial: "Trial") -> dict[str, Any]:
    return {
        "window": trial.suggest_categorical("window", [16, 32, 64]),
        "hidden": trial.suggest_categorical("hidden", [16, 32, 64]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.4),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 0.3, log=True),
    }
