"""Which recipes there are: `conf/experiment/STUDY/NAME.yaml`, and those of `--config-dir`."""

from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType


def recipes_of(study: str) -> list[str]:
    """The recipes of a study, by name; without a name the studies that there are."""
    loader = GlobalHydra.instance().config_loader()
    if study:
        return list(loader.get_group_options(f"experiment/{study}"))
    return list(loader.get_group_options("experiment", ObjectType.GROUP))
