"""Which extra of this package brings a module that is not installed."""

import re
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, requires

_PACKAGES = {"sklearn": "scikit-learn"}  # module → its package, where they differ by more than - and _
_REQUIREMENT = re.compile(r"(?P<package>[\w.-]+).*extra == ['\"](?P<extra>[\w.-]+)")


def extra_of(module: str) -> str | None:
    """The smallest extra that brings the module, None if no extra does: `torch.nn` → `train`."""
    packages = {_PACKAGES.get(part, part.replace("_", "-")) for part in module.split(".")}
    extras: dict[str, set[str]] = defaultdict(set)
    for requirement in filter(None, map(_REQUIREMENT.match, _requirements())):
        extras[requirement["extra"]].add(requirement["package"].lower())
    bringing = [extra for extra, brought in extras.items() if packages & brought]
    return min(bringing, key=lambda extra: len(extras[extra]), default=None)


def _requirements() -> list[str]:
    try:
        return requires("facerec") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        return []
