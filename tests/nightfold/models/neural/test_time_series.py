"""Networks of neuralforecast under our trainer."""

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")
pytest.importorskip("neuralforecast", reason="time-series networks come with the extra `neural`")

from nightfold.errors import ConfigError  # noqa: E402  # torch may be absent
from nightfold.models.catalog import MODELS  # noqa: E402
from nightfold.models.neural.series import Series  # noqa: E402
from nightfold.models.neural.series_spec import NHITSSpec, PatchTSTSpec, TFTSpec  # noqa: E402
from nightfold.models.score import constant_forecast, row_losses  # noqa: E402
from nightfold.models.window import Windows  # noqa: E402

Make = Callable[..., Any]
SMALL = {"window": 8, "series": "a", "hidden": 16, "epochs": 10, "batch": 64, "learning_rate": 0.01}
every_kind = pytest.mark.parametrize("name", ["nhits", "tft", "patchtst"])


def new(name: str, **changes: Any) -> Any:
    entry = MODELS[name]
    return entry.model(entry.spec(**{**SMALL, **changes}), 0)


@every_kind
@pytest.mark.parametrize("task", ["regression", "quantile"])
def test_an_effect_three_bars_back_in_the_series_is_found(name: str, task: str, make_windows: Make) -> None:
    train, validation, later = (
        make_windows(task, rows, lag=3, effect=2.0, seed=seed) for seed, rows in enumerate((1500, 500, 5000))
    )
    forecast = new(name).fit(train, validation).predict(later.features)
    constant = np.tile(constant_forecast(train), (len(later), 1))
    less = row_losses(later.objective, constant, later.label) - row_losses(later.objective, forecast, later.label)
    assert less.mean() > 10 * less.std() / np.sqrt(len(less))


@every_kind
def test_later_bars_move_no_forecast(name: str, make_windows: Make) -> None:
    model = new(name, epochs=1).fit(make_windows())
    windows = make_windows(rows=5000, seed=3).features
    table = windows.rows.copy()
    table[2500:] = 50 * np.random.default_rng(1).normal(size=table[2500:].shape)
    before, after = model.predict(windows), model.predict(Windows(table, windows.ends, 8))
    earlier = windows.ends < 2500
    np.testing.assert_allclose(after[earlier], before[earlier], rtol=0, atol=1e-6)
    assert np.abs(after - before)[~earlier].max() > 1e-5


@pytest.mark.parametrize("spec", [NHITSSpec(window=8), TFTSpec(window=8), PatchTSTSpec(window=8)], ids=repr)
def test_only_the_features_that_are_named_are_read(spec: Any) -> None:
    named = spec.model_copy(update={"exogenous": ["b"]}) if "exogenous" in type(spec).model_fields else spec
    columns = [2, 0] if named is not spec else [2]
    body = Series(named, columns, seed=0).eval()
    windows = torch.randn(4, 8, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    said = body(windows)
    assert said.shape == (4, named.hidden)
    said.square().sum().backward()
    read = windows.grad.abs().sum(dim=(0, 1)) > 0
    assert read.nonzero().flatten().tolist() == sorted(columns)


@every_kind
def test_what_others_draw_is_left_as_it_was(name: str, make_windows: Make) -> None:
    train = make_windows()
    plain, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    variables = dict(os.environ)
    new(name, epochs=1).fit(train)
    assert random.getstate() == plain
    assert str(np.random.get_state()) == str(arrays)
    assert torch.equal(torch.get_rng_state(), tensors)
    assert dict(os.environ) == variables


@every_kind
def test_a_series_that_is_no_feature_is_refused(name: str, make_windows: Make) -> None:
    with pytest.raises(ConfigError, match=r"needs close \(`series`\), not among the 3 features"):
        new(name, series="close").fit(make_windows())
