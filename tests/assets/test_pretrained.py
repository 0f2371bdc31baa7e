"""A pretrained member from a folder on disk through the whole line: it trains, predicts, and is marked."""

from pathlib import Path
from types import MappingProxyType

import dagster as dg
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nightfold.models import catalog
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import Capabilities
from nightfold.models.pretrained.model import PretrainedModel
from nightfold.models.pretrained.spec import PretrainedSpec

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy


class Line:
    def __init__(self, weights):
        self.weights = weights

    def forecast(self, windows):
        return np.einsum("wb,bn->wn", windows[:, -4:], self.weights)


class TinyModel(PretrainedModel[PretrainedSpec]):
    spec_type = PretrainedSpec

    def open_body(self, folder):
        return Line(load_file(folder / "model.safetensors")["line"])


TINY = ModelEntry(
    name="tiny",
    family="pretrained",
    spec=PretrainedSpec,
    model=TinyModel,
    search_space=lambda _: PretrainedSpec(),
    capabilities=Capabilities(("regression", "quantile"), inputs="windows", pretrained=True),
)


@pytest.fixture(scope="module")
def made(deploy, tmp_path_factory):
    weights = tmp_path_factory.mktemp("weights")
    save_file({"line": np.random.default_rng(0).normal(size=(4, 3))}, weights / "model.safetensors")
    settings = {"folder": str(weights), "window": 8}
    experiment = {
        "features": {"patterns": ["log_return_1", "rsi_14"]},
        "target": {"kind": "return", "horizons": [5]},
        "models": {
            "old": {"model": "tiny", "knowledge_until": "2020-12-31", **settings},
            "new": {"model": "tiny", "knowledge_until": "2030-12-31", **settings},
            "training_mean": None,
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "MODELS", MappingProxyType({**catalog.MODELS, "tiny": TINY}))
        place = deploy(experiments={"frozen": experiment})
        with place.workshop() as workshop:
            for layer in ("ingest", "research", "train", "predict", "evaluate"):
                workshop.backfill(layer)
        yield place


def metadata(made, key):
    with made.workshop() as workshop:
        record = workshop.instance.fetch_materializations(dg.AssetKey(["frozen", key]), limit=1).records[0]
    return record.asset_materialization.metadata


def test_the_model_that_may_know_its_test_is_marked_and_the_other_is_not(made):
    assert "possibly_seen" not in metadata(made, "old")
    assert "new is pretrained on data up to 2030-12-31" in metadata(made, "new")["possibly_seen"].text


def test_the_comparison_marks_it_and_the_ensemble(made):
    shown = metadata(made, "comparison")
    assert "new is pretrained" in shown["possibly_seen"].text
    text = Path(shown["path"].path).read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    seen = {row[0].removeprefix("| "): row[-1].removesuffix(" |") for row in rows if row[1] == "5"}
    assert seen == {"ensemble": "yes", "old": "no", "new": "yes", "training_mean": "no"}
    assert "until the end of that day its forecasts and blends with it may know the outcome" in text


def test_the_tearsheet_says_so_at_its_verdict(made):
    page = Path(metadata(made, "tearsheet")["path"].path).read_text()
    verdict = page.split('id="verdict"')[1].split("</section>")[0]
    assert "Possibly seen: new is pretrained on data up to 2030-12-31" in verdict
    assert "old is pretrained" not in page
