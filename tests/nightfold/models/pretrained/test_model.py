"""The adapter, with a tiny body that was written as a plug-in."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightfold.errors import ConfigError
from nightfold.models.bundle import load_bundle, save_bundle
from nightfold.models.catalog import ModelEntry
from nightfold.models.checks import made_up, run_checks
from nightfold.models.contract import ModelError
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.shared import Shared
from nightfold.models.train import train_model

New = Callable[..., Any]
LEVELS = [0.01, 0.2, 0.65, 0.95]


@pytest.mark.parametrize("task", ["regression", "quantile"])
def test_a_family_with_a_body_of_its_own_keeps_the_contract(entry: ModelEntry, task: Any) -> None:
    assert {name: fault for name, fault in run_checks(entry, task).items() if fault} == {}


def test_nothing_is_fetched(entry: ModelEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a way to the internet was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    rows = made_up(entry, "quantile", 100)
    model = entry.model(entry.spec(**entry.small)).fit(rows)
    model.save(tmp_path / "saved")
    loaded = entry.model.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict(rows.features), model.predict(rows.features))


def test_levels_that_no_body_knows_are_served(entry: ModelEntry, new: New) -> None:
    rows = made_up(entry, "regression", 4000)
    train = Dataset(rows.features, rows.names, rows.label, rows.weight, Objective(task="quantile", quantiles=LEVELS))
    later = made_up(entry, "regression", 4000, seed=1)
    forecast = new().fit(train).predict(later.features)
    assert forecast.shape == (4000, 4)
    np.testing.assert_allclose((later.label[:, None] <= forecast).mean(axis=0), LEVELS, atol=0.02)


def test_the_body_is_handed_the_running_sum_that_ends_at_0(entry: ModelEntry, new: New) -> None:
    rows = made_up(entry, "regression", 50)
    model = new(batch=7).fit(rows)
    returns = rows.features.batch()[:, :, 0].astype(np.float64)
    price = np.stack([[window[: bar + 1].sum() - window.sum() for bar in range(8)] for window in returns])
    np.testing.assert_allclose(np.concatenate(model._body.asked), price, atol=1e-5)
    assert [len(asked) for asked in model._body.asked] == [7] * 7 + [1]
    assert (np.concatenate(model._body.asked)[:, -1] == 0).all()


def test_unsummed_it_is_handed_the_feature_that_is_named(entry: ModelEntry, new: New) -> None:
    rows = made_up(entry, "regression", 50)
    model = new(summed=False, series="noise_2").fit(rows)
    np.testing.assert_array_equal(np.concatenate(model._body.asked), rows.features.batch()[:, :, 3])


def test_only_every_so_many_windows_are_learnt_from_the_newest_among_them(entry: ModelEntry, new: New) -> None:
    rows = made_up(entry, "regression", 48)
    model = new(stride=7, summed=False).fit(rows)
    kept = rows.take(np.arange(47, -1, -7)[::-1])
    np.testing.assert_array_equal(np.concatenate(model._body.asked), kept.features.batch()[:, :, 0])
    again = new(summed=False).fit(kept)
    np.testing.assert_allclose(again.predict(rows.features), model.predict(rows.features), rtol=1e-9)


def test_features_beside_the_body_are_those_of_the_newest_bar(entry: ModelEntry, new: New) -> None:
    rows = made_up(entry, "regression", 3000)
    label = 3 * rows.table[:, 1].astype(np.float64)
    of_calm = Dataset(rows.features, rows.names, label, rows.weight, rows.objective)
    blind, sighted = (new(beside=names).fit(of_calm).predict(rows.features)[:, 0] for names in ([], ["calm"]))
    assert abs(np.corrcoef(blind, label)[0, 1]) < 0.2
    assert np.corrcoef(sighted, label)[0, 1] > 0.99


def test_a_series_that_is_no_feature_is_refused(entry: ModelEntry, new: New) -> None:
    with pytest.raises(ConfigError, match=r"needs close \(`series`\), rsi \(`beside`\), not among the 5"):
        new(series="close", beside=["rsi"]).fit(made_up(entry, "regression", 20))


def test_trials_on_the_same_rows_ask_the_body_once(entry: ModelEntry, new: New) -> None:
    rows, shared = made_up(entry, "regression", 50), Shared()
    models = [new(l2=0.1), new(l2=10.0), new(l2=10.0, window=8, stride=2)]
    for model in models:
        model.shared = shared
        model.fit(rows)
    assert [sum(map(len, model._body.asked)) for model in models] == [50, 0, 25]
    alone = new(l2=10.0).fit(rows).predict(rows.features)
    np.testing.assert_array_equal(models[1].predict(rows.features), alone)
    assert np.abs(models[0].predict(rows.features) - alone).max() > 0.01


def test_without_a_folder_it_says_which_setting_is_missing(entry: ModelEntry, new: New) -> None:
    with pytest.raises(ConfigError, match="`folder` is not set; name the folder on disk"):
        new(folder=None).fit(made_up(entry, "regression", 20))


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (lambda windows: np.full((len(windows), 2), np.nan), "forecasts NaN or infinity"),
        (lambda windows: np.zeros((len(windows) + 1, 2)), r"gives \(17, 2\) for 16 windows"),
        (lambda windows: np.zeros(len(windows)), r"gives \(16,\) for 16 windows"),
    ],
)
def test_a_body_that_does_not_do_its_part_is_told(
    entry: ModelEntry, new: New, monkeypatch: pytest.MonkeyPatch, said: Any, fault: str
) -> None:
    model = new().fit(made_up(entry, "regression", 20))
    monkeypatch.setattr(model._body, "forecast", said)
    with pytest.raises(ModelError, match=fault):
        model.predict(made_up(entry, "regression", 20).features)


def test_a_bundle_holds_digests_and_refuses_another_body(
    entry: ModelEntry, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightfold.models.bundle.find_model", lambda _: entry)
    parts = [made_up(entry, "regression", rows, seed=rows) for rows in (200, 100)]
    trained = train_model(entry, entry.spec(**entry.small), *parts)
    saved = save_bundle(tmp_path / "bundle", {1: trained})
    kept = ["h01/model.json", "h01/pretrained.json", "h01/read_out.safetensors"]
    assert sorted(saved.manifest.files) == kept
    loaded = load_bundle(tmp_path / "bundle")
    np.testing.assert_array_equal(
        loaded.predict_features(parts[1].features, 1), saved.predict_features(parts[1].features, 1)
    )
    body = (weights / "model.safetensors").read_bytes()
    (weights / "model.safetensors").write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(ModelError, match=r"fitted on in model\.safetensors"):
        load_bundle(tmp_path / "bundle")
    (weights / "model.safetensors").write_bytes(body)
    load_bundle(tmp_path / "bundle")
    weights.rename(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="there is no such folder"):
        load_bundle(tmp_path / "bundle")
