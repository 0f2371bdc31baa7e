"""How asset values reach the lake: one file a partition, validated before it is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import dagster as dg
import polars as pl

from nightfold.bars.raw import join_fetches
from nightfold.errors import LakeError, SchemaError
from nightfold.schema import Table
from nightfold.spec import fingerprint
from nightfold.window import Window
from resources.lake import Lake, Written
from resources.progress import report


@dataclass(frozen=True, slots=True)
class Piece:
    """One partition's rows, with what the asset wants to show of them."""

    symbol: str
    window: Window
    frame: pl.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frames:
    """An asset's value: its table, and its partitions one after another, so that memory holds one at a time.

    ``keep`` joins each piece with what is stored, so that a smaller fetch never loses rows.
    """

    table: Table
    pieces: Iterable[Piece]
    keep: bool = False


class LakeIOManager(dg.IOManager):
    """Writes `Frames` partition by partition; loads the run's partitions as one lazy frame."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def handle_output(self, context: dg.OutputContext, obj: Frames) -> None:
        """Validate and store each piece, with its metadata and a data version made from the contents."""
        key = context.asset_key.to_user_string()
        expected = set(context.asset_partition_keys)
        digests: dict[str, str] = {}
        begun = perf_counter()
        for piece in obj.pieces:
            partition = f"{piece.window.key}|{piece.symbol}"
            if partition not in expected:
                raise LakeError(f"`{key}` made partition {partition}, which this run was not asked for.")
            written = self._store(key, obj, piece)
            digests[partition] = written.digest
            context.step_context.add_asset_metadata(
                metadata={**summary(written), "seconds": round(perf_counter() - begun, 3), **piece.metadata},
                asset_key=context.asset_key,
                partition_key=partition,
            )
            begun = perf_counter()
            report(key, piece.window.key, piece.symbol, f"{written.rows} rows")
        missing = expected - set(digests)
        if missing:
            raise LakeError(f"`{key}` made no {', '.join(sorted(missing)[:5])}; {len(missing)} partitions are missing.")
        version = digests.popitem()[1] if len(digests) == 1 else fingerprint(digests)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(version))

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """Return the stored rows of the upstream partitions, by symbol and time."""
        partitions = sorted(key.split("|")[::-1] for key in context.asset_partition_keys)
        key = context.asset_key.to_user_string()
        return self._lake.scan_partitions(key, [(symbol, window) for symbol, window in partitions])

    def _store(self, key: str, frames: Frames, piece: Piece) -> Written:
        try:
            frame = frames.table.validate(frames.table.conform(piece.frame))
        except SchemaError as error:
            raise SchemaError(f"{piece.symbol} {piece.window.key}: {error}") from error
        outside = frame.filter(
            (pl.col("symbol") != piece.symbol)
            | ~pl.col("open_time").is_between(piece.window.start, piece.window.end, closed="left")
        ).height
        if outside:
            raise LakeError(
                f"`{key}` has {outside} rows outside its partition {piece.window.key}|{piece.symbol}; "
                "a partition holds its own symbol and time only."
            )
        if frames.keep:
            return self._lake.merge(key, piece.symbol, piece.window.key, frame, join_fetches)
        return self._lake.write(key, piece.symbol, piece.window.key, frame)


def summary(written: Written) -> dict[str, Any]:
    """Row count, first and last time, and content hash, as shown per partition."""
    return {
        "dagster/row_count": written.rows,
        "first": dg.MetadataValue.text(written.first.isoformat() if written.first else "none"),
        "last": dg.MetadataValue.text(written.last.isoformat() if written.last else "none"),
        "data_version": written.digest,
        "path": dg.MetadataValue.path(written.path),
    }
