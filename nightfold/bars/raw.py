"""Raw rows of several fetches, kept together so that none is lost."""

import polars as pl

FETCH_KEY = ("venue", "open_time")


def join_fetches(stored: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
    """Join what is stored with a newer fetch of the same partition.

    Parameters
    ----------
    stored, fetched
        Raw rows of one symbol, schema `RAW_BARS`; repeats within a fetch are kept.

    Returns
    -------
    DataFrame
        All of ``fetched``, and of ``stored`` the bars (venue and time) that the fetch lacks, by time.
    """
    kept = stored.join(fetched, on=FETCH_KEY, how="anti")
    return pl.concat([kept, fetched]).sort("symbol", "open_time", "venue", maintain_order=True)
