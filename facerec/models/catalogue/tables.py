"""Print what the catalogue holds."""

import json

from facerec.models.catalogue.cache import converted_file, weights_file
from facerec.models.catalogue.entry import Entry, find_entry, names, shipped_statistics

_FORBIDDEN = "NOT FOR COMMERCIAL USE"


def show_entries() -> None:
    """All ready-made models."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        *("name", "licence of the weights", "numbers", "MB", "fetched", "what"),
        title="Ready-made models: model=NAME",
        title_justify="left",
    )
    for entry in map(find_entry, names()):
        licence = Text(entry.licence)
        if entry.non_commercial:
            licence.append(f"\n{_FORBIDDEN}", style="bold red")
        fetched = "yes" if _is_there(entry) else ""
        table.add_row(
            entry.name, licence, str(entry.embedding_dim), _megabytes(entry), fetched, Text(entry.description)
        )
    Console(width=120).print(table)


def show_entry(name: str) -> None:
    """All that is known of one."""
    entry = find_entry(name)
    lines = {
        "what": entry.description,
        "licence": f"{_FORBIDDEN + ': ' if entry.non_commercial else ''}{entry.licence} ({entry.licence_url})",
        "trained by": entry.trained_by,
        "trained on": entry.trained_on,
        "network": f"{entry.architecture}, {entry.embedding_dim} numbers for a crop",
        "takes": f"{entry.colour}, (value - {entry.mean}) / {entry.std}",
        "SHA-256": entry.sha256,
        "stated by": entry.sha256_url,
        "size": f"{_megabytes(entry)} MB",
        "in the cache": f"{weights_file(entry)}{'' if _is_there(entry) else ' (not fetched yet)'}",
        "thresholds": _evaluated_on(name),
    }
    for number, source in enumerate(entry.sources, 1):
        lines[f"source {number}"] = f"{source}{f', {source.member} in it' if source.member else ''}"
    width = max(map(len, lines))
    print(f"{entry.name}\n" + "\n".join(f"  {key:<{width}}  {value}" for key, value in lines.items()))


def _is_there(entry: Entry) -> bool:
    return weights_file(entry).exists() or (entry.pickled and converted_file(entry).exists())


def _megabytes(entry: Entry) -> str:
    return "?" if entry.size is None else f"{entry.size / 1e6:.1f}"


def _evaluated_on(name: str) -> str:
    """On which data set the thresholds of the package were measured."""
    source = json.loads(shipped_statistics(name) or "{}").get("evaluated_on")
    return (
        f"measured on {source['identities']} people of {source['dataset']} ({source['split']})"
        if source
        else f"none; `facerec evaluate model={name} dataset=…` measures some"
    )
