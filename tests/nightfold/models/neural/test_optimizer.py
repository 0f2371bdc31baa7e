"""Our AdamW beside torch's."""

import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.models.neural.optimizer import AdamW  # noqa: E402  # torch may be absent


@pytest.mark.parametrize("longest", [0.01, 1e6])
def test_steps_are_those_of_torch(longest: float) -> None:
    source = torch.Generator().manual_seed(0)
    start = {"a": torch.randn(4, 3, generator=source), "b": torch.randn(3, generator=source)}
    points = torch.randn(50, 4, generator=source)
    ours, theirs = ({name: each.clone().requires_grad_() for name, each in start.items()} for _ in range(2))
    optimizer = AdamW(ours, 0.05, 0.1)
    reference = torch.optim.AdamW(theirs.values(), lr=0.05, weight_decay=0.1, foreach=False)
    for _ in range(30):
        for weights in (ours, theirs):
            (points @ weights["a"] + weights["b"] - 1).square().sum().backward()
        torch.nn.utils.clip_grad_norm_(theirs.values(), longest)
        reference.step()
        reference.zero_grad()
        optimizer.step(longest)
        for name in start:
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(ours["a"], start["a"])
