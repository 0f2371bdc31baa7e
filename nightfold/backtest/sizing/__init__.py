"""How large a position is, as a fraction of equity: one small class a rule.

`bet` is what a rule may look at, `fixed`, `kelly` and `probability` hold the rules, `bound` shrinks a probability to
what calibration can vouch for, and `catalog` lists them all.
"""
