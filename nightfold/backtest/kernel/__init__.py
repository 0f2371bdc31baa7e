"""The simulated account: one compiled pass over the bars of all symbols, in the order in which things happen.

`run` walks through time. Within a bar come the `funding` of the hole before it, the `order`s due at its open, ways to
`leave` at stops, by liquidation and at targets, the funding at its close, the `mark`, the breakers of `watch`, and what
is to `decide`, which turns targets into orders within the shared limits of `limit`. `quiet` gets over the bars in which
none of this can happen. `record` says what is kept, `fill` and `note` write it down. Rows are bars, sorted by symbol
and time; an order is a wanted position. `compiled` keeps the machine code on disk for as long as no file here changes.
"""
