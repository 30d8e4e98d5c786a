"""The composed configuration as a tree."""

import os

from omegaconf import DictConfig, OmegaConf


def print_tree(cfg: DictConfig) -> None:
    """Print the configuration to standard error, for standard output belongs to the job; once for all processes."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.tree import Tree

    if "LOCAL_RANK" in os.environ:  # a process that Lightning has started
        return
    tree = Tree("configuration")
    for key, value in cfg.items():
        if OmegaConf.is_config(value):
            tree.add(str(key)).add(Syntax(OmegaConf.to_yaml(value, resolve=True).rstrip(), "yaml"))
        else:
            tree.add(OmegaConf.to_yaml({key: value}).rstrip())
    Console(stderr=True, markup=False, emoji=False).print(tree)
