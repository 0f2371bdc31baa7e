"""From an evaluation to what its tearsheet shows."""

from collections.abc import Mapping, Sequence

import polars as pl

from nightfold.evaluation import Evaluation
from nightfold.experiment import Experiment, ModelChoice
from nightfold.leaderboard import ALONE, Looks
from nightfold.models.pretrained.knowledge import possibly_seen
from nightfold.tearsheet.content import Record, TearsheetInput
from nightfold.tearsheet.gates import MACRO_F1, evaluate_gates
from nightfold.tearsheet.regime import regimes_lived
from nightfold.tearsheet.summary import fold_returns

_SPOT_ONLY_LONG = "The account is a spot account: it cannot go short, so forecasts of a fall are not traded."


def tearsheet_input(
    experiment: Experiment,
    result: Evaluation,
    *,
    symbols: Sequence[str],
    interval: str,
    is_simulated: bool,
    market: str,
    settings: str,
    provenance: Mapping[str, str],
    looks: Looks = ALONE,
    record: Record | None = None,
) -> TearsheetInput:
    """Gather everything a tearsheet shows, gates judged."""
    folds = fold_returns(result.daily, result.scores["as_of"].unique().to_list())
    macro_f1, chance = _traded_f1(result.scores, experiment.strategy.horizon)
    closed = result.trades.filter(~pl.col("is_open"))
    gates = evaluate_gates(
        experiment.gates,
        daily_returns=result.daily["daily_return"],
        trade_profits=closed["profit"],
        fold_returns=folds["fold_return"],
        macro_f1=macro_f1,
        chance_f1=chance,
        n_trials=looks.n_trials,
        trial_variance=looks.variance,
        overfitting=result.summary["overfitting"],
        regimes=regimes_lived(result.regimes),
        crashes=result.summary["crashes"],
    )
    return TearsheetInput(
        title=experiment.name.replace("_", " ").capitalize(),
        experiment=experiment.name,
        description=experiment.description,
        market_note=market,
        is_simulated=is_simulated,
        symbols=symbols,
        interval=interval,
        capital=result.summary["capital"],
        equity=result.equity,
        daily=result.daily,
        trades=result.trades,
        fills=result.fills,
        baselines={
            str(name): frame.drop("name")
            for (name,), frame in result.baselines.partition_by("name", as_dict=True, maintain_order=True).items()
        },
        folds=folds,
        model_metrics=result.scores,
        gates=gates
        if experiment.target.objective.classes
        else [gate for gate in gates if not gate.name.startswith(MACRO_F1)],
        settings=settings,
        provenance=provenance,
        n_trials=looks.n_trials,
        trial_variance=looks.variance,
        remarks=[
            *possibly_seen(_blended(experiment), result.daily["day"][0]).values(),
            *([_SPOT_ONLY_LONG] if experiment.limits.instrument == "spot" else []),
        ],
        rejected=result.rejected,
        triggers=result.triggers,
        regimes=result.regimes,
        sensitivity=result.sensitivity,
        shocks=result.shocks,
        passing=result.passing,
        luck=result.summary["luck"],
        overfitting=result.summary["overfitting"],
        crashes=result.summary["crashes"],
        record=record or Record(),
    )


def _blended(experiment: Experiment) -> dict[str, ModelChoice]:
    return {name: experiment.models[name] for name in experiment.ensemble.chosen(experiment.models)}


def _traded_f1(scores: pl.DataFrame, horizon: int) -> tuple[float | None, float | None]:
    """Macro F1 of the traded forecasts and its chance value, as means over windows by rows; none of values."""
    traded = scores.filter((pl.col("model") == "ensemble") & (pl.col("horizon") == horizon)).drop_nulls("macro_f1")
    if traded.is_empty():
        return None, None
    by_rows = [(pl.col(name) * pl.col("rows")).sum() / pl.col("rows").sum() for name in ("macro_f1", "macro_f1_chance")]
    found, chance = traded.select(*by_rows).row(0)
    return found, chance
