"""The simulated account: one compiled pass over the bars of all symbols, in the order in which things happen.

`run` walks through time; within a bar `funding` of the hole before it, `order`s due at the open, `leave`s at stops,
liquidation and targets, funding at the close, the mark and the statistics of `mark`, the breakers of `watch`, and
`decide`, which turns targets into orders within the shared limits of `limit`. `record` says what is kept, `fill` and
`note` write it down. Rows are bars, sorted by symbol and time; an order is a wanted position. `compiled` keeps the machine code on disk for as long as no file of this package changes.
"""
