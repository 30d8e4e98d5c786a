"""What installed packages register with this one, by entry points: `facerec.backbones`, `….datasets`, `….models`.

They are found by their names alone: nothing of a package is imported before something of it is asked for.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from facerec.errors import MachineError


def registered(group: str) -> list[EntryPoint]:
    """The entry points of a group, such as `backbones`, by name."""
    return sorted(entry_points(group=f"facerec.{group}"), key=lambda point: point.name)


def load_registered(group: str, name: str) -> Any:
    """What an installed package registered under this name; None: nothing.

    Raises:
        MachineError: several packages registered something else under it, or it can't be imported.
    """
    points = {point.value: point for point in registered(group) if point.name == name}
    if len(points) > 1:
        raise MachineError(f"facerec.{group}: {name} is registered as {' and as '.join(points)}; uninstall one")
    for value, point in points.items():
        try:
            return point.load()
        except Exception as error:  # whatever a foreign module does when it is imported
            raise MachineError(
                f"facerec.{group}: {name}, registered as {value}, can't be imported ({error})"
            ) from error
    return None
