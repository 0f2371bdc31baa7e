"""Rules that keep an account from harm: each says its formula and where it comes from; `catalog` lists them all.

The kernel of the simulation applies them at the close of each bar; `nightfold.backtest.limit.RiskLimits` holds those of
one account.
"""
