"""Members and ensemble of one as-of belong together, or nothing is forecast."""

import polars as pl
import pytest
import yaml

from pipeline_defs.runs import RunFailedError

pytestmark = pytest.mark.xdist_group("line")


@pytest.fixture
def ours(finished, tmp_path):
    return finished.copy(tmp_path)


def edit(deployment, change):
    path = deployment.configs / "experiments/pooled_one.yaml"
    settings = yaml.safe_load(path.read_text())
    change(settings)
    path.write_text(yaml.safe_dump(settings))


def test_members_that_were_fitted_on_different_rows_are_not_blended(ours):
    """As many rows as before, but other labels: one member was fitted again since, the other was not."""
    before = ours.files("pooled_one/ensemble")
    for path in sorted((ours.lake / "labels").rglob("2024-02-01.parquet")):
        labels = pl.read_parquet(path)
        labels.with_columns(-pl.col("label_5")).write_parquet(path)
    with ours.workshop() as workshop:
        for stage in ("splits", "logistic_regression"):
            workshop.backfill(f"pooled_one/{stage}", "2024-02-26", "2024-02-26")
        wanted = (
            "class_frequencies, logistic_regression as of 2024-02-26 were fitted on different rows; materialize all"
        )
        with pytest.raises(RunFailedError, match=wanted):
            workshop.backfill("pooled_one/ensemble", "2024-02-26", "2024-02-26")
        assert ours.files("pooled_one/ensemble") == before
        workshop.backfill("pooled_one/class_frequencies", "2024-02-26", "2024-02-26")
        workshop.backfill("pooled_one/ensemble", "2024-02-26", "2024-02-26")
    assert ours.files("pooled_one/ensemble") != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda file: file["target"].update(horizons=[4, 5]), id="a horizon more"),
        pytest.param(lambda file: file["features"].update(groups=["volatility"]), id="other features"),
    ],
)
def test_an_ensemble_made_with_other_horizons_or_features_says_how_to_make_it_again(ours, change):
    labels = ours.write("labels.yaml", {"labels": {"horizons": [4, 5]}})
    assert labels.exists()
    edit(ours, change)
    with ours.workshop() as workshop, pytest.raises(RunFailedError) as error:
        workshop.backfill("predict", experiment="pooled_one")
    assert "`pooled_one/ensemble` as of 2024-02-12 was made with other horizons or features" in str(error.value)
    assert "`nightfold backfill --layer train --experiment pooled_one` makes it again" in str(error.value)
