"""The networks themselves: what a state may depend on, and what they leave alone."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.models.neural.network import Dropout, Network  # noqa: E402  # torch may be absent
from nightfold.models.neural.spec import (  # noqa: E402
    GRUSpec,
    LSTMSpec,
    NetworkSpec,
    NextBarSpec,
    TCNSpec,
    TransformerSpec,
)

LENGTH, WIDTH = 12, 3
SPECS = [
    LSTMSpec(window=LENGTH, hidden=8, depth=2),
    GRUSpec(window=LENGTH, hidden=8),
    TCNSpec(window=LENGTH, hidden=8, depth=3, kernel=3),
    TransformerSpec(window=LENGTH, hidden=8, depth=3, heads=2),
    NextBarSpec(window=LENGTH, hidden=8, depth=1),
]
every_kind = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)


def made(spec: NetworkSpec, seed: int = 0) -> Any:
    return Network(spec, WIDTH, 2, torch.Generator().manual_seed(seed)).eval()


def bars(count: int = 5) -> Any:
    return torch.randn(count, LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))


@every_kind
@pytest.mark.parametrize("changed", [1, 6, LENGTH - 1])
def test_a_later_bar_of_the_window_moves_no_earlier_state(spec: NetworkSpec, changed: int) -> None:
    body, windows = made(spec).body, bars()
    other = windows.clone()
    other[:, changed:] = 100 * torch.randn(other[:, changed:].shape, generator=torch.Generator().manual_seed(2))
    before, after = body.states(windows), body.states(other)
    torch.testing.assert_close(before[:, :changed], after[:, :changed], rtol=0, atol=1e-6)
    assert ((before[:, changed] - after[:, changed]).abs().amax(dim=1) > 1e-3).all()


@every_kind
def test_every_bar_in_reach_moves_the_newest_state(spec: NetworkSpec) -> None:
    windows = bars().requires_grad_()
    made(spec).body(windows).square().sum().backward()
    assert (windows.grad.abs().amax(dim=2) > 0).all()


@every_kind
def test_what_is_forecast_from_is_the_state_of_the_newest_bar(spec: NetworkSpec) -> None:
    body, windows = made(spec).body, bars()
    torch.testing.assert_close(body(windows), body.states(windows)[:, -1], rtol=0, atol=1e-6)


@every_kind
def test_other_windows_of_a_batch_have_no_say(spec: NetworkSpec) -> None:
    network, windows = made(spec), bars(30)
    torch.nn.init.ones_(network.head.weight)
    alone = torch.cat([network(windows[row : row + 1]) for row in range(30)])
    torch.testing.assert_close(network(windows), alone, rtol=0, atol=1e-6)


@every_kind
def test_a_new_network_says_nothing_and_has_every_weight_set(spec: NetworkSpec) -> None:
    first, again, other = made(spec), made(spec), made(spec, seed=1)
    assert (first(bars()) == 0).all()
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), again.parameters(), strict=True))
    assert any(not torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))
    assert all(values.isfinite().all() and values.abs().max() <= 1 for values in first.parameters())


@every_kind
def test_the_randomness_of_torch_itself_stays_as_it_was(spec: NetworkSpec) -> None:
    before = torch.get_rng_state()
    made(spec).train()(bars())
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_silences_a_share_and_keeps_the_mean() -> None:
    drop = Dropout(0.25, torch.Generator().manual_seed(0))
    state = torch.ones(1000, 100)
    dropped = drop.train()(state)
    assert dropped.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(drop.eval()(state), state)
