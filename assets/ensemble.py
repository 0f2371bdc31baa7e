"""The ensemble of each as-of: members blended and calibrated on rows none of them had learnt from, and judged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.fits import spoken
from assets.keys import asset_key
from assets.markdown import markdown_table, plotted, upright_table
from assets.partitions import AsOfPartition
from assets.pictures import show_picture
from assets.reuse import VALIDATION, fit_card
from assets.splits import stored_split
from nightfold.ensemble.calibrate_values import Toward
from nightfold.ensemble.diversity import ambiguity, correlation, pairs
from nightfold.ensemble.fit import ENOUGH, Ensemble, fit_ensemble, mean_until_enough
from nightfold.ensemble.judge import Judgement, ablate, judge
from nightfold.ensemble.picture import ablation_picture, correlation_picture
from nightfold.ensemble.rows import OutOfSample
from nightfold.errors import ConfigError, LakeError, NightfoldError
from nightfold.models.bundle import Bundle, load_bundle, read_manifest
from nightfold.models.contract import Prediction
from nightfold.models.rows import FeatureRows
from nightfold.spec import fingerprint
from nightfold.window import parse_moment
from resources.lake import Lake

_KEY = ("symbol", "open_time", "horizon")
_SHOWN = ("horizon", "forecast", "earlier_loss", "macro_f1", "direction_gain", "r2", "sign_accuracy", "coverage")


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is known of one horizon's ensemble; without a judgement where rows are too few for two halves."""

    judgement: Judgement | None
    ablation: pl.DataFrame
    rows: OutOfSample


def ensemble(plan: Plan, model_versions: dict[str, str]) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/ensemble`, and return it with its code version."""
    spec = plan.experiment.ensemble
    members = spec.chosen(plan.experiment.models)
    settings = {**spec.model_dump(mode="json"), "seed": plan.experiment.seed}
    version = plan.version("ensemble", settings, *(model_versions[member] for member in members))

    @dg.asset(
        **plan.as_of_asset("ensemble"),
        deps=[asset_key(plan.key(member)) for member in members],
        code_version=version,
        kinds={"json"},
        description=f"Members blended ({spec.method}) and calibrated on rows they had not seen, so that no skill means "
        "no trade; judged on the later half of those rows against the best member.",
    )
    def asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            place = lake_partition(partition)
            with TemporaryDirectory() as scratch:
                versions = {m: str(lake.version(plan.key(m), place)) for m in members}
                frames = {m: _forecasts(plan, lake, m, partition, Path(scratch)) for m in members}
                splits = stored_split(plan, lake, place, Path(scratch))
            untouched = {h: datetime.fromisoformat(split["span"]["validation_from"]) for h, split in splits.items()}
            rows = {h: _out_of_sample(plan, partition, frames, h, untouched[h]) for h in untouched}
            fitted = {h: _fitted(plan, partition, each, h) for h, each in rows.items()}
            document = {
                "members": versions,
                "ensembles": {h: e.model_dump(mode="json") for h, e in fitted.items()},
                "timeouts": {h: split["timeouts"] for h, split in splits.items() if "timeouts" in split},
            }
            judged = {h: _judge(plan, each) for h, each in rows.items()}
            weights = {h: each.blender.weights for h, each in fitted.items()}
            (folder / "ensemble.json").write_text(json.dumps(document, indent=1, sort_keys=True))
            (folder / "judgement.json").write_text(json.dumps(_report(judged, fitted), indent=1, sort_keys=True))
            metadata = (
                _metadata(plan, judged, weights)
                | _one_sided(fitted)
                | _until_enough(plan, rows)
                | ({"learns_from": spec.remark} if spec.remark else {})
                | _pictures(plan, partition, judged, reports)
            )
            return fingerprint({"code": version, **document}), metadata

        return plan.store(context, lake, "ensemble", make)

    return asset, version


def _fitted(plan: Plan, partition: AsOfPartition, rows: OutOfSample, horizon: int) -> Ensemble:
    try:
        return fit_ensemble(rows, plan.experiment.ensemble, toward=_toward(plan))
    except NightfoldError as error:
        raise LakeError(
            f"`{plan.key('ensemble')}` of {partition.universe} as of {partition.window.key} cannot be fitted {horizon} "
            f"bars ahead: {error} Give the split a longer history, or a larger share of `validation`."
        ) from error


def _toward(plan: Plan) -> Toward:
    """Name what values forecast without skill fall back to: a return to none, an extreme to its mean."""
    return "zero" if plan.experiment.target.is_traded else "constant"


def _forecasts(plan: Plan, lake: Lake, member: str, partition: AsOfPartition, scratch: Path) -> pl.DataFrame:
    """Out-of-sample forecasts stored with a member: of this as-of, or where asked for of those before it as well.

    Of those before, only what was made with the same settings, searched ones among them: others forecast something
    else.
    """
    as_ofs = [partition.window.key]
    if plan.experiment.ensemble.oof == "past":
        earlier = lake.as_ofs(plan.key(member), partition.universe)
        as_ofs = [as_of for as_of in earlier if parse_moment(as_of, "as_of") <= partition.as_of]
    places = (f"universe={partition.universe}/{as_of}" for as_of in as_ofs)
    folders = [lake.fetch_folder(plan.key(member), place, scratch) for place in places]
    alike = (folder for folder in folders if _made_alike(folder, folders[-1]))
    return pl.concat(pl.read_parquet(folder / VALIDATION) for folder in alike).unique(
        _KEY, keep="last", maintain_order=True
    )


def _made_alike(one: Path, other: Path) -> bool:
    """Whether two stored models have the same settings: those of their file, and what a search made of them."""
    if fit_card(one).get("settings") != fit_card(other).get("settings"):
        return False
    return read_manifest(one / "bundle").spec == read_manifest(other / "bundle").spec


def _out_of_sample(
    plan: Plan, partition: AsOfPartition, frames: Mapping[str, pl.DataFrame], horizon: int, untouched: datetime
) -> OutOfSample:
    """Bring together the rows that all members forecast out of sample."""
    objective = plan.experiment.target.objective
    kept = {member: frame.filter(pl.col("horizon") == horizon) for member, frame in frames.items()}
    first, *others = kept.values()
    shared = first.select(_KEY)
    for other in others:
        shared = shared.join(other.select(_KEY), on=_KEY, how="semi", maintain_order="left")
    if shared.is_empty() or any(_labels(each, shared) != _labels(first, shared) for each in others):
        raise LakeError(
            f"{', '.join(frames)} as of {partition.window.key} were fitted on different rows; materialize all of them "
            f"again for this as-of, after `{plan.key('splits')}`."
        )
    aligned = {member: shared.join(frame, on=_KEY, maintain_order="left") for member, frame in kept.items()}
    rows = next(iter(aligned.values()))
    if plan.experiment.ensemble.oof == "purged_kfold":
        latest = None
    else:
        latest = pl.select(pl.max_horizontal(*(frame["learnt_until"] for frame in aligned.values()))).to_series()
    return OutOfSample.of(
        objective,
        {member: frame.select(objective.columns).to_numpy() for member, frame in aligned.items()},
        rows["label"].to_numpy(),
        rows["open_time"],
        rows["label_end"],
        learnt_until=latest,
        untouched_from=untouched if plan.experiment.ensemble.refits else None,
    )


def _labels(frame: pl.DataFrame, shared: pl.DataFrame) -> list[float]:
    return shared.join(frame, on=_KEY, maintain_order="left")["label"].to_list()


def _judge(plan: Plan, rows: OutOfSample) -> _Judged:
    spec, seed = plan.experiment.ensemble, plan.experiment.seed
    try:
        return _Judged(judge(rows, spec, seed), ablate(rows, spec, seed), rows)
    except ConfigError:
        if mean_until_enough(rows, spec).method != "mean":
            raise
        return _Judged(None, pl.DataFrame(), rows)


def _report(judged: Mapping[int, _Judged], fitted: Mapping[int, Ensemble]) -> dict[str, Any]:
    return {
        str(horizon): {
            "method": fitted[horizon].blender.method,
            "weights": fitted[horizon].blender.weights,
            "gate": found.judgement.gate.document() if found.judgement else None,
            "scores": found.judgement.scores.to_dicts() if found.judgement else [],
            "ablation": found.ablation.to_dicts(),
            "pairs": pairs(found.rows).to_dicts(),
        }
        for horizon, found in judged.items()
    }


def _metadata(plan: Plan, judged: Mapping[int, _Judged], weights: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    horizon, metric = plan.experiment.strategy.horizon, plan.experiment.target.objective.metric
    shown = judged[horizon]
    blended = pl.DataFrame([{"horizon": h, **each} for h, each in weights.items()])
    tables = {"weights": blended, "left_out": shown.ablation}
    found = {name: dg.MetadataValue.md(markdown_table(table)) for name, table in tables.items() if table.width}
    found |= _diversity(shown.rows)
    gain = ambiguity(shown.rows).gain
    if shown.judgement is None:
        return {**found, **plotted({"averaging_gain": gain}), "progress": "too few rows to judge"}
    scores = pl.concat(
        each.judgement.scores.with_columns(pl.lit(h).alias("horizon")) for h, each in judged.items() if each.judgement
    )
    loss = shown.judgement.scores.filter(pl.col("forecast") == "ensemble")[metric].item()
    gate = shown.judgement.gate
    return {
        **plotted({metric: loss, "averaging_gain": gain, "gain_on_best_member": -gate.difference.mean}),
        "beats_best_member": gate.passed,
        "gate": gate.words,
        "scores": dg.MetadataValue.md(markdown_table(scores.select(_columns(scores, metric)))),
        **found,
        "progress": f"{spoken(metric)} {loss:.4g}",
    }


def _one_sided(fitted: Mapping[int, Ensemble]) -> dict[str, Any]:
    """Tell at which horizons all calibration rows went one way, so that direction falls back to a base rate."""
    found = [str(horizon) for horizon, each in fitted.items() if getattr(each.calibrator, "one_sided", False)]
    words = f"{', '.join(found)} bars: all calibration rows went one way, so direction is not forecast"
    return {"calibration": words} if found else {}


def _until_enough(plan: Plan, rows: Mapping[int, OutOfSample]) -> dict[str, Any]:
    """Tell at which horizons the mean stands in, since few rows have gathered yet."""
    spec = plan.experiment.ensemble
    few = [
        f"{horizon} ({each.independent:.0f})" for horizon, each in rows.items() if mean_until_enough(each, spec) != spec
    ]
    words = f"the mean, until {spec.method} has {ENOUGH} independent rows; bars ahead (rows so far): {', '.join(few)}"
    return {"blended_by": words} if few else {}


def _diversity(rows: OutOfSample) -> dict[str, Any]:
    """Lay out how differently every two members see the same rows; nothing for one member."""
    compared = pairs(rows)
    if compared.is_empty():
        return {}
    named = compared.select(
        pl.concat_str("first", "second", separator=" / ").alias("pair"), pl.exclude("first", "second")
    )
    return {"diversity": dg.MetadataValue.md(upright_table(named, "pair"))}


def _columns(scores: pl.DataFrame, metric: str) -> list[str]:
    return [name for name in (*_SHOWN[:2], metric, *_SHOWN[2:]) if name in scores.columns]


def _pictures(plan: Plan, partition: AsOfPartition, judged: Mapping[int, _Judged], reports: Path) -> dict[str, Any]:
    horizon = plan.experiment.strategy.horizon
    shown = judged[horizon]
    if len(shown.rows.names) == 1:
        return {}
    name = f"{plan.key('ensemble')}/{partition.universe}/{partition.window.key}"
    title, simulated = f"{plan.name} as of {partition.window.key}, {horizon} bars", plan.universe.is_simulated
    correlations = correlation_picture(
        shown.rows.names, correlation(shown.rows), f"Errors of members: {title}", is_simulated=simulated
    )
    drawn = {"error_correlation": show_picture(reports, f"{name}-correlation", "Correlation of errors", correlations)}
    if shown.ablation.height:
        ablated = ablation_picture(shown.ablation, f"Without a member: {title}", is_simulated=simulated)
        drawn["ablation"] = show_picture(reports, f"{name}-ablation", "Loss without each member", ablated)
    return drawn


@dataclass(frozen=True, slots=True)
class InForce:
    """An ensemble ready to forecast, and the names of what it is made of."""

    as_of: datetime
    version: str
    bundles: dict[str, Bundle]
    ensembles: dict[int, Ensemble]

    def predict(self, rows: FeatureRows, horizon: int) -> tuple[Prediction, dict[str, Prediction]]:
        """Forecast complete feature rows: the calibrated blend, and each member by itself."""
        members = {
            name: bundle.predict_features(rows.features(bundle.names, bundle.window), horizon)
            for name, bundle in self.bundles.items()
        }
        return self.ensembles[horizon].apply(members), members


def load_ensemble(plan: Plan, lake: Lake, universe: str, as_of: str, scratch: Path) -> InForce:
    """Read a stored ensemble with its members."""
    place = f"universe={universe}/{as_of}"
    folder = lake.fetch_folder(plan.key("ensemble"), place, scratch)
    document = json.loads((folder / "ensemble.json").read_text())
    if "ensembles" not in document:
        raise LakeError(
            f"`{plan.key('ensemble')}` as of {as_of} was made by an older version; "
            f"`nightfold backfill --layer train --experiment {plan.name}` makes it again."
        )
    changed = [m for m, version in document["members"].items() if lake.version(plan.key(m), place) != version]
    if changed:
        raise LakeError(
            f"{', '.join(changed)} was fitted again after `{plan.key('ensemble')}` as of {as_of} was made; "
            "materialize the ensemble again for this as-of."
        )
    bundles = {m: load_bundle(lake.fetch_folder(plan.key(m), place, scratch) / "bundle") for m in document["members"]}
    ensembles = {int(horizon): Ensemble.model_validate(values) for horizon, values in document["ensembles"].items()}
    asked = plan.experiment.target.horizons
    fitting = (set(each.names) <= set(plan.features) and (each.window or 1) <= plan.window for each in bundles.values())
    if not (set(asked) <= set(ensembles) and all(fitting)):
        raise LakeError(
            f"`{plan.key('ensemble')}` as of {as_of} was made with other horizons, features or windows than the "
            f"experiment has now; `nightfold backfill --layer train --experiment {plan.name}` makes it again."
        )
    version = str(lake.version(plan.key("ensemble"), place))
    return InForce(datetime.fromisoformat(f"{as_of}T00:00:00+00:00"), version, bundles, ensembles)
