"""What the commands say, and how they fail."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from nightfold.errors import NightfoldError

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
