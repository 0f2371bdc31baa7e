"""From an evaluation to what its tearsheet shows."""

from collections.abc import Mapping, Sequence

import polars as pl

from nightfold.evaluation import Evaluation
from nightfold.experiment import Experiment, ModelChoice
from nightfold.leaderboard import ALONE, Looks
from nightfold.models.pretrained.knowledge import possibly_seen
from nightfold.overfitting import NOTHING, Choice
from nightfold.tearsheet.content import Record, TearsheetInput
from nightfold.tearsheet.gates import ModelRecord, evaluate_gates
from nightfold.tearsheet.regime import regimes_lived
from nightfold.tearsheet.summary import fold_returns

_SHORTED_ON_SPOT = "may be sold short and held on margin here, at prices of a market where that cannot be done."
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
    likeness: float | None = None,
    choice: Choice = NOTHING,
    record: Record | None = None,
) -> TearsheetInput:
    """Gather everything a tearsheet shows, gates judged: by all ``looks``, however alike they are (``likeness``).

    What choosing among them is worth (``choice``) is told, too.
    """
    folds = fold_returns(result.daily, result.scores["as_of"].unique().to_list())
    macro_f1, chance = _traded_f1(result.scores, "ensemble", experiment.strategy.horizon)
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
        overfitting=choice.probability,
        regimes=regimes_lived(result.regimes),
        crashes=result.summary["crashes"],
        models=_records(result, experiment.strategy.horizon),
        has_classes=bool(experiment.target.objective.classes),
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
        gates=gates,
        settings=settings,
        provenance=provenance,
        n_trials=looks.n_trials,
        trial_variance=looks.variance,
        trial_correlation=likeness,
        remarks=[
            *possibly_seen(_blended(experiment), result.daily["day"][0]).values(),
            *([experiment.ensemble.remark] if experiment.ensemble.remark else []),
            *_account_remarks(experiment, symbols, result.summary["assumed_funding"]),
        ],
        rejected=result.rejected,
        triggers=result.triggers,
        regimes=result.regimes,
        sensitivity=result.sensitivity,
        shocks=result.shocks,
        open_orders=result.open_orders,
        funding=result.funding,
        passing=result.passing,
        levels=result.levels,
        luck=result.summary["luck"],
        overfitting=choice.probability,
        n_compared=choice.variants,
        is_filtered=experiment.policy is not None and experiment.policy.filter,
        crashes=result.summary["crashes"],
        alone=result.summary["alone"],
        record=record or Record(),
    )


def _blended(experiment: Experiment) -> dict[str, ModelChoice]:
    return {name: experiment.models[name] for name in experiment.ensemble.chosen(experiment.models)}


def _records(result: Evaluation, horizon: int) -> dict[str, ModelRecord]:
    """Put together what each member forecast at the traded horizon and what trading that alone was worth."""
    return {
        name: ModelRecord(*_traded_f1(result.scores, name, horizon), outcome["sharpe_ratio"], outcome["is_lost"])
        for name, outcome in result.summary["alone"].items()
    }


def _traded_f1(scores: pl.DataFrame, model: str, horizon: int) -> tuple[float | None, float | None]:
    """Macro F1 of a model's forecasts and its chance value, as means over windows by rows; none of values."""
    traded = scores.filter((pl.col("model") == model) & (pl.col("horizon") == horizon)).drop_nulls("macro_f1")
    if traded.is_empty():
        return None, None
    by_rows = [(pl.col(name) * pl.col("rows")).sum() / pl.col("rows").sum() for name in ("macro_f1", "macro_f1_chance")]
    found, chance = traded.select(*by_rows).row(0)
    return found, chance


def _account_remarks(experiment: Experiment, symbols: Sequence[str], assumed: Sequence[str]) -> list[str]:
    """Say where the account's rules are not those of the market its prices come from."""
    if experiment.limits.instrument == "spot":
        return [_SPOT_ONLY_LONG]
    spot = [symbol for symbol in symbols if not symbol.endswith(".P")]
    rate = experiment.costs.funding_rate
    return [
        *([f"Perpetual rules on spot bars: {', '.join(spot)} {_SHORTED_ON_SPOT}"] if spot else []),
        *([f"Funding of {', '.join(assumed)} is {_assumed(rate)}"] if assumed and rate is not None else []),
    ]


def _assumed(rate: float) -> str:
    percent = f"{100 * rate:.4g}\N{NARROW NO-BREAK SPACE}%"
    return f"an assumed constant, {percent} of a position each 8 hours, in place of recorded rates."
