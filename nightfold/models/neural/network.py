"""The networks: a window of bars in, the hidden state of its newest bar out, and numbers from it."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nightfold.models.neural.series_spec import SeriesSpec
from nightfold.models.neural.spec import GRUSpec, LSTMSpec, NetworkSpec, NextBarSpec, TCNSpec, TransformerSpec


class Dropout(nn.Module):
    """Silences a share of its input in training, by a source of randomness of its own.

    Parameters
    ----------
    share
        Of the input, at least 0 and less than 1.
    source
        What decides; networks that learn at the same time have one each.
    """

    def __init__(self, share: float, source: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self.source = source

    def forward(self, state: Tensor) -> Tensor:
        """Return the input, with the silenced part at 0 and the rest scaled up."""
        if not self.training or not self.share:
            return state
        drawn = torch.rand(state.shape, generator=self.source, device=self.source.device).to(state.device)
        return state * (drawn >= self.share) / (1 - self.share)


class Recurrent(nn.Module):
    """LSTM or GRU over projected bars."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], spec: NetworkSpec, width: int) -> None:
        super().__init__()
        self.layers = kind(width, spec.hidden, num_layers=spec.depth, batch_first=True)

    def states(self, windows: Tensor) -> Tensor:
        """Hidden state of each bar: (windows, bars, hidden)."""
        states: Tensor = self.layers(windows)[0]
        return states

    def forward(self, windows: Tensor) -> Tensor:
        """Hidden state of each newest bar: (windows, hidden)."""
        return self.states(windows)[:, -1]


class CausalConvolution(nn.Module):
    """Two convolutions that see the bar and bars before it, around a shortcut."""

    def __init__(self, spec: TCNSpec, step: int, drop: Dropout) -> None:
        super().__init__()
        self.past = (spec.kernel - 1) * step
        self.first = nn.Conv1d(spec.hidden, spec.hidden, spec.kernel, dilation=step)
        self.second = nn.Conv1d(spec.hidden, spec.hidden, spec.kernel, dilation=step)
        self.norm = nn.LayerNorm(spec.hidden)
        self.drop = drop

    def forward(self, states: Tensor) -> Tensor:
        """Return as many states as were given: (windows, bars, hidden)."""
        inner = self.norm(states).transpose(1, 2)
        for convolution in (self.first, self.second):
            inner = functional.gelu(convolution(functional.pad(inner, (self.past, 0))))
        dropped: Tensor = self.drop(inner.transpose(1, 2))
        return states + dropped


class Convolutional(nn.Module):
    """Causal convolutions, each layer twice as far apart as the one before it."""

    def __init__(self, spec: TCNSpec, width: int, drop: Dropout) -> None:
        super().__init__()
        self.enter = nn.Linear(width, spec.hidden)
        self.layers = nn.ModuleList(CausalConvolution(spec, 2**layer, drop) for layer in range(spec.depth))

    def states(self, windows: Tensor) -> Tensor:
        """Hidden state of each bar: (windows, bars, hidden)."""
        states: Tensor = self.enter(windows)
        for layer in self.layers:
            states = layer(states)
        return states

    def forward(self, windows: Tensor) -> Tensor:
        """Hidden state of each newest bar: (windows, hidden)."""
        return self.states(windows)[:, -1]


class Attention(nn.Module):
    """A block of attention to itself and earlier bars, and a small network on each bar, both around shortcuts."""

    def __init__(self, spec: TransformerSpec, drop: Dropout) -> None:
        super().__init__()
        self.heads = spec.heads
        self.before = nn.LayerNorm(spec.hidden)
        self.query = nn.Linear(spec.hidden, spec.hidden)
        self.key_value = nn.Linear(spec.hidden, 2 * spec.hidden)
        self.leave = nn.Linear(spec.hidden, spec.hidden)
        self.between = nn.LayerNorm(spec.hidden)
        self.widen = nn.Linear(spec.hidden, 2 * spec.hidden)
        self.narrow = nn.Linear(2 * spec.hidden, spec.hidden)
        self.drop = drop

    def forward(self, states: Tensor, newest: bool = False) -> Tensor:
        """States of all bars, or of the newest alone, which sees all of them: (windows, bars or 1, hidden)."""
        inner = self.before(states)
        asking = inner[:, -1:] if newest else inner
        key, value = map(self._by_head, self.key_value(inner).chunk(2, dim=-1))
        seen = functional.scaled_dot_product_attention(
            self._by_head(self.query(asking)), key, value, is_causal=not newest
        )
        states = (states[:, -1:] if newest else states) + self.drop(self.leave(seen.transpose(1, 2).flatten(2)))
        refined: Tensor = self.drop(self.narrow(functional.gelu(self.widen(self.between(states)))))
        return states + refined

    def _by_head(self, states: Tensor) -> Tensor:
        return states.reshape(*states.shape[:2], self.heads, -1).transpose(1, 2)


class CausalTransformer(nn.Module):
    """Attention blocks under a causal mask; the last asks for the newest bar alone."""

    def __init__(self, spec: TransformerSpec, width: int, drop: Dropout) -> None:
        super().__init__()
        self.enter = nn.Linear(width, spec.hidden)
        self.place = nn.Embedding(spec.window, spec.hidden)
        self.blocks = nn.ModuleList(Attention(spec, drop) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.hidden)

    def states(self, windows: Tensor) -> Tensor:
        """Hidden state of each bar: (windows, bars, hidden)."""
        states = self.enter(windows) + self.place.weight
        for block in self.blocks:
            states = block(states)
        normed: Tensor = self.norm(states)
        return normed

    def forward(self, windows: Tensor) -> Tensor:
        """Hidden state of each newest bar: (windows, hidden)."""
        states = self.enter(windows) + self.place.weight
        for place, block in enumerate(self.blocks, 1):
            states = block(states, newest=place == len(self.blocks))
        normed: Tensor = self.norm(states)
        return normed[:, -1]


class Network(nn.Module):
    """A body that reads windows, and a head that starts at 0, so that a network without training adds nothing.

    Parameters
    ----------
    spec
        Its kind and shape.
    width
        Features of a bar.
    outputs
        Numbers per window.
    source
        Decides the weights it starts with, and what training silences.
    columns
        Features that a time-series network reads, the series first.
    """

    def __init__(
        self, spec: NetworkSpec, width: int, outputs: int, source: torch.Generator, columns: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.drop = Dropout(spec.dropout, source)
        if isinstance(spec, SeriesSpec):
            from nightfold.models.neural.series import Series  # takes seconds to import

            self.body: nn.Module = Series(spec, columns, source.initial_seed())
            self.head = nn.Linear(spec.hidden, outputs, device="meta").to_empty(device="cpu")
        else:
            with torch.device("meta"):  # without values, and so without a draw from what all of torch shares
                self.body = _BODIES[type(spec)](spec, width, self.drop)
                self.head = nn.Linear(spec.hidden, outputs)
            self.to_empty(device="cpu")
            _start(self, source)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, windows: Tensor) -> Tensor:
        """Numbers of each window: (windows, outputs)."""
        numbers: Tensor = self.head(self.drop(self.body(windows)))
        return numbers


def _start(network: nn.Module, source: torch.Generator) -> None:
    for module in network.modules():
        for name, values in module.named_parameters(recurse=False):
            if isinstance(module, nn.LayerNorm):
                nn.init.constant_(values, float(name == "weight"))
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(values, std=0.02, generator=source)
            else:
                bound = 1 / math.sqrt(_inputs(module, values))
                nn.init.uniform_(values, -bound, bound, generator=source)


def _inputs(module: nn.Module, values: Tensor) -> int:
    if isinstance(module, nn.RNNBase):
        return module.hidden_size
    weight = module.weight if isinstance(module.weight, Tensor) else values
    return weight[0].numel()


_BODIES: Mapping[type[NetworkSpec], Callable[[Any, int, Dropout], nn.Module]] = MappingProxyType(
    {
        LSTMSpec: lambda spec, width, _: Recurrent(nn.LSTM, spec, width),
        GRUSpec: lambda spec, width, _: Recurrent(nn.GRU, spec, width),
        TCNSpec: Convolutional,
        TransformerSpec: CausalTransformer,
        NextBarSpec: CausalTransformer,
    }
)
