"""What the commands say, and how they fail."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from nightfold.errors import ConfigError, NightfoldError

if TYPE_CHECKING:
    import polars as pl

OUT = Console(soft_wrap=True, highlight=False)
ERRORS = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def reported() -> Iterator[None]:
    """Show errors that people can act on as one message, without a traceback."""
    try:
        yield
    except NightfoldError as error:
        ERRORS.print(f"[bold red]error:[/] {escape(str(error))}", markup=True)
        raise typer.Exit(1) from error


def show(frame: "pl.DataFrame", output: str, rows: int) -> None:
    """Print a frame as `table`, `csv` or `json`; as a table at most so many rows, or all for -1.

    Raises
    ------
    ConfigError
        If ``output`` is none of them.
    """
    import polars as pl

    check_output(output)
    if output == "csv":
        sys.stdout.write(frame.write_csv())
    elif output == "json":
        sys.stdout.write(frame.write_json() + "\n")
    else:
        with pl.Config(tbl_rows=rows, tbl_cols=40, tbl_width_chars=200, tbl_hide_dataframe_shape=True):
            print(frame)  # noqa: T201  # the answer itself


def check_output(output: str) -> None:
    """See that an output is one that `show` knows, before any work is done for it.

    Raises
    ------
    ConfigError
        If it is none of them.
    """
    if output not in {"table", "csv", "json"}:
        raise ConfigError(f"`output` is {output!r}; it must be table, csv or json.")
