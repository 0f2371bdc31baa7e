"""Settings that nothing reads beside others: refused where they were changed, for a setting said is one believed."""

from collections.abc import Mapping

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.ensemble.blend import EnsembleSpec
from nightfold.errors import ConfigError
from nightfold.policy.spec import PolicySpec
from nightfold.spec import Spec

_RISK = "set `policy.base_risk_fraction` and `policy.max_risk_fraction`"
_BESIDE_A_POLICY = {
    "min_edge_bps": "set `policy.min_edge`",
    "edge": "set `policy.edge`",
    "size": _RISK,
    "sizing": _RISK,
}
_BESIDE_SIZING = {"size": "set what the rule itself takes"}
_PERPETUAL = "set `limits.instrument: perpetual`"
_LEARNT = "take another `ensemble.method`"
_STACK = "take `ensemble.method: stack`"
_FORWARD = "take `ensemble.oof: expanding`"
_FOLDS = "take `ensemble.oof: expanding` or `purged_kfold`"
_BLOCKS = {"oof_blocks": _LEARNT, "oof_share": _LEARNT}
_WEIGHTED = {"shrinkage": "take `ensemble.method: weighted`"}
_STACKED = {"meta": _STACK, "ridge": _STACK}
_BESIDE_METHOD = {
    "mean": {**_WEIGHTED, **_STACKED, **_BLOCKS},
    "weighted": _STACKED,
    "rank": {**_WEIGHTED, **_STACKED},
    "stack": _WEIGHTED,
}


def refuse_idle(strategy: Strategy, policy: PolicySpec | None, costs: Costs, limits: RiskLimits) -> None:
    """Refuse settings that differ from their defaults and would change nothing.

    Parameters
    ----------
    strategy, policy, costs, limits
        Of one experiment, as its file says them.

    Raises
    ------
    ConfigError
        For the first of them: what it is, why nothing would come of it, and what to set instead.

    Examples
    --------
    >>> refuse_idle(Strategy(), PolicySpec(), Costs(), RiskLimits())
    >>> refuse_idle(Strategy(edge="gross"), PolicySpec(), Costs(), RiskLimits())
    Traceback (most recent call last):
    nightfold.errors.ConfigError: `strategy.edge` is gross, and beside a `policy` nothing reads it: set `policy.edge` \
instead, or leave it out.
    """
    if policy is not None:
        _refuse("strategy", strategy, "beside a `policy`", _BESIDE_A_POLICY)
    if strategy.sizing is not None:
        _refuse("strategy", strategy, "beside `strategy.sizing`", _BESIDE_SIZING)
    if limits.instrument == "spot":
        _refuse("costs", costs, "on a spot account", {"funding_rate": _PERPETUAL})
        _refuse("limits", limits, "on a spot account", {"maintenance_margin": _PERPETUAL})


def refuse_idle_ensemble(ensemble: EnsembleSpec) -> None:
    """Refuse settings of an ensemble that differ from their defaults and would change nothing.

    A mean learns nothing, but `oof: past` gives it more rows to be calibrated on.

    Raises
    ------
    ConfigError
        As of `refuse_idle`.

    Examples
    --------
    >>> refuse_idle_ensemble(EnsembleSpec(oof="past"))
    >>> refuse_idle_ensemble(EnsembleSpec(method="rank", ridge=1))
    Traceback (most recent call last):
    nightfold.errors.ConfigError: `ensemble.ridge` is 1.0, and with `method: rank` nothing reads it: take \
`ensemble.method: stack` instead, or leave it out.
    """
    method, rows = f"with `method: {ensemble.method}`", f"with `oof: {ensemble.oof}`"
    if ensemble.method == "mean" and ensemble.oof == "purged_kfold":
        _refuse("ensemble", ensemble, method, {"oof": _LEARNT})
    _refuse("ensemble", ensemble, method, _BESIDE_METHOD[ensemble.method])
    if ensemble.oof == "past":
        _refuse("ensemble", ensemble, rows, {"oof_blocks": _FOLDS, "oof_share": _FORWARD})
    if ensemble.oof == "purged_kfold":
        _refuse("ensemble", ensemble, rows, {"oof_share": _FORWARD})
    if ensemble.oof_blocks == 1:
        _refuse("ensemble", ensemble, "with `oof_blocks: 1`", {"oof_share": "set more `oof_blocks`"})


def _refuse(place: str, spec: Spec, beside: str, instead: Mapping[str, str]) -> None:
    for name, way_out in instead.items():
        value = getattr(spec, name)
        if value != type(spec).model_fields[name].default:
            shown = value.rule if name == "sizing" else value
            raise ConfigError(
                f"`{place}.{name}` is {shown}, and {beside} nothing reads it: {way_out} instead, or leave it out."
            )
