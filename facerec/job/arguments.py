"""What is given on the command line, as Hydra's grammar takes it."""

import re

from hydra.core.override_parser.types import Quote, QuotedString

from facerec.errors import ConfigError
from facerec.job.keys import CONFIG_DIR

_NAMES = {"person", "name", "of", "group", "to", "note", "sample", "change", "licence", "origin"}
_PATHS = {
    *("against", "attributes", "cache_dir", "data.cache_dir", "dataset.file", "dataset.fixes", "dataset.root"),
    *("detector.weights", "file", "gallery.read_url", "gallery.url", "hydra.run.dir", "hydra.sweep.dir"),
    *("init_from", "key_file", "list", "model", "out", "pairs_root", "paths.cache", "paths.data"),
    *("paths.galleries", "paths.outputs", "photo", "photos", "protocol.root", "refused", "resume", "root", "study"),
    "weights",
}
_RENAMED = {  # key → its new name, and what is to be known of it
    "ckpt_path": ("resume", "give the folder of the run, resume=RUN, without hydra.run.dir"),
    "finder.detector": ("detector.network", ""),
    "finder": ("detector", ""),
    "head.shard": ("loss.shard_classes", ""),
    "lfw.pairs": ("pairs", ""),
    "lfw.root": ("pairs_root", ""),
    "lfw": ("pairs", "give pairs=[FILE,…] and pairs_root=FOLDER"),
    "logger.offline": ("logger.wandb.offline", ""),
    "logger.project": ("logger.wandb.project", ""),
    "part": ("split", ""),
    "trainer=debug": ("debug=one_batch", "it goes with any trainer"),
}


def arguments(given: list[str]) -> list[str]:
    """The arguments of a command line as Hydra takes them.

    Raises:
        ConfigError: one of them has another name now.
    """
    for argument in given:
        refuse_renamed(argument)
    multirun = not {"-m", "--multirun"}.isdisjoint(given)
    return [literal(argument, multirun) for argument in given]


def refuse_renamed(argument: str) -> None:
    """Raise a ConfigError that says the new name of a key that was renamed."""
    plain = argument.lstrip("+~")
    for old, (new, hint) in _RENAMED.items():
        rest = plain.removeprefix(old)
        if rest != plain and rest[:1] in ("", "=", "."):
            raise ConfigError(f"{old} is now {new}: {hint or f'give {new}{rest}'}")


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
