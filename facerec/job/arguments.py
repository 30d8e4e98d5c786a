"""What is given on the command line, as Hydra's grammar takes it."""

import re

from hydra.core.override_parser.types import Quote, QuotedString

from facerec.job.keys import CONFIG_DIR

_NAMES = {"person", "name", "to", "note"}
_PATHS = {
    *("attributes", "cache_dir", "ckpt_path", "data.cache_dir", "dataset.root", "file", "gallery.read_url"),
    *("gallery.url", "hydra.run.dir", "hydra.sweep.dir", "init_from", "key_file", "lfw.root", "model", "out"),
    *("photos", "study"),
}


def literal(argument: str, multirun: bool = False) -> str:
    """Rewrite an argument of the command line so that Hydra's grammar takes it as it is meant.

    Values of names and notes are always quoted. Those of paths are, unless they are `null` or begin with a quote,
    `[`, `{` or `$`; with commas they are a sweep under `--multirun`. `GROUP=null` becomes `~GROUP`.
    """
    key, equals, value = argument.partition("=")
    if value == "null" and (CONFIG_DIR / key).is_dir():
        return f"~{key}"
    key = key.lstrip("+")
    if not equals or key not in _NAMES | _PATHS:
        return argument
    if key in _NAMES:
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)  # no interpolation of OmegaConf's
    elif value in ("", "null") or value[0] in "'\"[{$" or (multirun and "," in value):
        return argument
    return argument[: argument.index("=") + 1] + QuotedString(value, Quote.single).with_quotes()
