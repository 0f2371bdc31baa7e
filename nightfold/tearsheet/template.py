"""How pages are made from their templates: escaped, complete, and without network."""

from importlib.resources import files

import jinja2

from nightfold.tearsheet import number

_FILTERS = ("percent", "ratio", "count", "amount", "price", "day", "moment")


def environment() -> jinja2.Environment:
    """Templates of this package, with numbers spelled as `nightfold.tearsheet.number` does."""
    folder = files("nightfold.tearsheet")
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
    )
    made.filters |= {name: getattr(number, name) for name in _FILTERS}
    return made
