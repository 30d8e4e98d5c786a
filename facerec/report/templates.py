"""Where the templates of pages lie."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def templates() -> Environment:
    """The templates of this folder; what is put into them is escaped."""
    loader = PackageLoader("facerec.report", "")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
