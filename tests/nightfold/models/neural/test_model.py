"""Networks as models: they find what only the sequence shows, see no future, and take up where they broke off."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.errors import ConfigError  # noqa: E402  # torch may be absent
from nightfold.models.catalog import MODELS  # noqa: E402
from nightfold.models.contract import Model, ModelError  # noqa: E402
from nightfold.models.dataset import Dataset  # noqa: E402
from nightfold.models.neural.epoch import Epoch  # noqa: E402
from nightfold.models.neural.model import NeuralModel  # noqa: E402
from nightfold.models.objective import Task  # noqa: E402
from nightfold.models.score import constant_forecast, row_losses  # noqa: E402
from nightfold.models.train import train_model  # noqa: E402
from nightfold.models.window import Windows  # noqa: E402

Make = Callable[..., Any]
SMALL = {"window": 8, "hidden": 16, "epochs": 12, "batch": 64, "learning_rate": 0.01, "early_stopping_epochs": 3}
every_kind = pytest.mark.parametrize("name", ["lstm", "gru", "tcn", "transformer"])


def new(name: str, seed: int = 0, **changes: Any) -> Any:
    entry = MODELS[name]
    return entry.model(entry.spec(**{**SMALL, **changes}), seed)


def files(model: Model[Any], folder: Path) -> dict[str, bytes]:
    model.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def gain(model: Model[Any], train: Dataset, later: Dataset) -> tuple[float, float]:
    """How much less it loses than the constant on later rows, and the standard error of that."""
    constant = np.tile(constant_forecast(train), (len(later), 1))
    forecast = model.predict(later.features)
    less = row_losses(later.objective, constant, later.label) - row_losses(later.objective, forecast, later.label)
    return float(less.mean()), float(less.std() / np.sqrt(len(less)))


@every_kind
@pytest.mark.parametrize("task", ["three_class", "regression", "quantile"])
def test_an_effect_three_bars_back_is_found(name: str, task: Task, make_windows: Make) -> None:
    train, later = make_windows(task, lag=3, effect=2.0), make_windows(task, 5000, lag=3, effect=2.0, seed=2)
    model = new(name).fit(train, make_windows(task, 500, lag=3, effect=2.0, seed=1))
    less, error = gain(model, train, later)
    assert model.rounds > 0
    assert less > 10 * error
    newest = MODELS["logistic_regression"] if task == "three_class" else None
    if newest:  # a model of the newest bar alone sees nothing of it
        rows = newest.model(newest.spec()).fit(replace(train, features=train.table))
        other, _ = gain(rows, train, replace(later, features=later.table))
        assert other < less / 10


@every_kind
@pytest.mark.parametrize("task", ["binary", "regression", "quantile"])
def test_shuffled_labels_score_like_the_constant(name: str, task: Task, make_windows: Make) -> None:
    def shuffled(rows: int, seed: int) -> Dataset:
        part: Dataset = make_windows(task, rows, seed=seed)
        return replace(part, label=np.random.default_rng(seed).permutation(part.label))

    train, later = shuffled(1500, 0), shuffled(5000, 2)
    less, error = gain(new(name).fit(train, shuffled(500, 1)), train, later)
    assert less < 3 * error


@every_kind
def test_later_bars_move_no_forecast(name: str, make_windows: Make) -> None:
    train = make_windows("regression")
    model = new(name, epochs=2).fit(train)
    windows = make_windows("regression", 5000, seed=3).features
    table, cut = windows.rows.copy(), 2500
    table[cut:] = 50 * np.random.default_rng(1).normal(size=table[cut:].shape)
    before, after = model.predict(windows), model.predict(Windows(table, windows.ends, 8))
    earlier = windows.ends < cut
    np.testing.assert_allclose(after[earlier], before[earlier], rtol=0, atol=1e-6)
    assert (np.abs(after - before)[windows.ends >= cut] > 1e-5).mean() > 0.9


@every_kind
def test_bars_before_the_window_move_no_forecast(name: str, make_windows: Make) -> None:
    model = new(name, epochs=2).fit(make_windows("regression"))
    windows = make_windows("regression", 5000, seed=3).features[3000:]
    table = windows.rows.copy()
    table[: windows.ends.min() - 7] = np.nan
    np.testing.assert_array_equal(model.predict(Windows(table, windows.ends, 8)), model.predict(windows))


@pytest.mark.parametrize("broken_after", [1, 3, 5])
def test_a_fit_that_is_taken_up_again_ends_in_the_same_bytes(
    broken_after: int, make_windows: Make, tmp_path: Path
) -> None:
    class Broken(Exception):  # noqa: N818  # it stands for any
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == broken_after:
            raise Broken

    train, validation = make_windows("three_class"), make_windows("three_class", 500, seed=1)
    whole = new("gru", epochs=7).fit(train, validation)
    model, scratch = new("gru", epochs=7), tmp_path / "scratch"
    model.scratch, model.progress = scratch, stop
    with pytest.raises(Broken):
        model.fit(train, validation)
    assert [path.suffix for path in scratch.iterdir()] == [".safetensors"]
    told: list[Epoch] = []
    again = new("gru", epochs=7)
    again.scratch, again.progress = scratch, told.append
    again.fit(train, validation)
    assert [epoch.number for epoch in told] == list(range(broken_after + 1, len(whole.history) + 1))
    assert again.history == whole.history
    assert files(again, tmp_path / "again") == files(whole, tmp_path / "whole")
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("broken_fit", [1, 2])
def test_training_that_was_broken_off_goes_on_with_the_fit_it_was_in(
    broken_fit: int, make_windows: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):  # it stands for the end of the process
        pass

    entry, told = MODELS["gru"], []
    spec = entry.spec(**{**SMALL, "epochs": 4, "early_stopping_epochs": 4})
    parts = [make_windows("regression", rows, seed=seed) for seed, rows in enumerate((600, 200, 200))]
    whole = train_model(entry, spec, parts[0], parts[2], stopping=parts[1])

    def tell(model: Any, epoch: Epoch) -> None:
        told.append(epoch.number)
        if told.count(3) == broken_fit and not killed:
            killed.append(True)
            raise Killed

    killed: list[bool] = []
    monkeypatch.setattr(NeuralModel, "_tell", tell)
    with pytest.raises(Killed):
        train_model(entry, spec, parts[0], parts[2], stopping=parts[1], scratch=tmp_path / "fits")
    assert len(list((tmp_path / "fits").iterdir())) == 1
    told.clear()
    again = train_model(entry, spec, parts[0], parts[2], stopping=parts[1], scratch=tmp_path / "fits")
    assert len(told) == len(whole.curves["stopping"]) + (whole.rounds or 0) - 3
    assert files(again.model, tmp_path / "again") == files(whole.model, tmp_path / "whole")
    assert not list((tmp_path / "fits").iterdir())


@pytest.mark.parametrize("task", ["binary", "regression", "quantile"])
def test_curves_are_the_proper_scores_of_its_epochs(task: Task, make_windows: Make) -> None:
    train, stopping = make_windows(task), make_windows(task, 500, seed=1)
    model = new("gru", epochs=6, early_stopping_epochs=6, learning_rate=1e-9).fit(train, stopping)
    after = new("gru", epochs=1, learning_rate=1e-9).fit(train)
    for part, rows in {"train": train, "stopping": stopping}.items():
        losses = row_losses(rows.objective, after.predict(rows.features), rows.label)
        mean = np.average(losses, weights=rows.weight)
        expected = np.sqrt(mean) if task == "regression" else mean
        assert model.curves[part] == pytest.approx(dict.fromkeys(range(1, 7), expected), rel=1e-4)
    assert after.curves == {}


def test_other_rows_spec_or_seed_take_up_no_checkpoint(make_windows: Make, tmp_path: Path) -> None:
    def stop(_: Epoch) -> None:
        raise KeyboardInterrupt

    train = make_windows("regression")
    model = new("gru")
    model.scratch, model.progress = tmp_path, stop
    with pytest.raises(KeyboardInterrupt):
        model.fit(train)
    others = [
        (new("gru"), make_windows("regression", seed=5)),
        (new("gru"), replace(train, weight=train.weight**2)),
        (new("gru", dropout=0.2), train),
        (new("gru", seed=1), train),
        (new("lstm"), train),
    ]
    for other, rows in others:
        told: list[Epoch] = []
        other.scratch, other.progress = tmp_path, told.append
        other.fit(rows)
        assert told[0].number == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_checkpoint_is_left_out(make_windows: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def stop(_: Epoch) -> None:
        raise KeyboardInterrupt

    train = make_windows("regression")
    model = new("gru", epochs=3)
    model.scratch, model.progress = tmp_path, stop
    with pytest.raises(KeyboardInterrupt):
        model.fit(train)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    model.progress = None
    with caplog.at_level(logging.INFO, "nightfold"):
        model.fit(train)
    assert "cannot be read" in caplog.text
    assert "GRUModel epoch 3 of 3" in caplog.text
    features = make_windows(rows=100, seed=4).features
    np.testing.assert_array_equal(model.predict(features), new("gru", epochs=3).fit(train).predict(features))


def test_the_epoch_in_force_is_the_one_with_the_lowest_validation_score(make_windows: Make) -> None:
    train, validation = make_windows("binary", 600), make_windows("binary", 300, seed=1)

    def score(epochs: int) -> float:
        forecast = new("gru", epochs=epochs, learning_rate=0.05).fit(train).predict(validation.features)
        return float(np.average(row_losses(train.objective, forecast, validation.label), weights=validation.weight))

    stopped = new("gru", epochs=30, learning_rate=0.05).fit(train, validation)
    scores = {epochs: score(epochs) for epochs in range(stopped.rounds + 4)}
    assert 0 < stopped.rounds < 26
    assert min(scores, key=lambda epochs: scores[epochs]) == stopped.rounds
    assert len(stopped.history) == stopped.rounds + 3
    assert stopped.history[stopped.rounds - 1].score == pytest.approx(scores[stopped.rounds], abs=1e-9)
    refitted = MODELS["gru"].model(stopped.refit_spec, 0).fit(train)
    np.testing.assert_array_equal(refitted.predict(validation.features), stopped.predict(validation.features))


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_no_epoch_forecasts_the_constant(task: Task, make_windows: Make) -> None:
    rows = replace(make_windows(task), weight=np.ones(1500))
    forecast = new("lstm", epochs=0).fit(rows).predict(rows.features)
    tolerance = 1e-3 if task == "quantile" else 1e-12  # other conventions between two labels
    np.testing.assert_allclose(forecast, np.tile(constant_forecast(rows), (1500, 1)), rtol=0, atol=tolerance)


def test_fits_side_by_side_do_not_disturb_each_other(make_windows: Make, tmp_path: Path) -> None:
    train = make_windows("regression")
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    one_by_one = [files(new("gru", seed, epochs=3).fit(train), tmp_path / f"a{seed}") for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda seed: new("gru", seed, epochs=3).fit(train), range(4)))
    assert [files(fit, tmp_path / f"b{seed}") for seed, fit in enumerate(fits)] == one_by_one
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_the_seed_decides(make_windows: Make) -> None:
    train = make_windows("regression")
    first, other = (new("gru", seed, epochs=2).fit(train).predict(train.features) for seed in (0, 1))
    assert not np.array_equal(first, other)


def test_a_diverging_fit_is_an_error(make_windows: Make) -> None:
    with pytest.raises(ModelError, match="`learning_rate` is 1e\\+30; training diverged"):
        new("gru", learning_rate=1e30).fit(make_windows("regression"))


def test_a_gpu_that_is_not_there_is_refused(make_windows: Make) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one here")
    with pytest.raises(ConfigError, match="finds no GPU"):
        new("gru", device="cuda").fit(make_windows("regression"))


def test_windows_of_another_length_are_refused(make_windows: Make) -> None:
    with pytest.raises(ValueError, match="takes windows of 16 bars; it was given windows of 8 bars"):
        new("gru", window=16).fit(make_windows("regression"))
