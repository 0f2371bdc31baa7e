"""From predictions to money: `signal` says what is wanted, `cost` and `limit` what stands in the way.

`engine` checks what comes in and lets `kernel` walk through the bars once; `result` is what came of it, down to each
fill. `baseline` holds the strategies that anyone could have run instead.
"""
