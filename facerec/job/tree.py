"""The composed configuration as a tree."""

import os
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf


def print_tree(cfg: DictConfig) -> None:
    """Print the configuration to standard error, for standard output belongs to the job; once for all processes."""
    from rich.console import Console
    from rich.syntax import Syntax
    from rich.tree import Tree

    if "LOCAL_RANK" in os.environ:  # a process that Lightning has started
        return
    tree = Tree("configuration")
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    for key, value in values.items():
        branch, value = (tree.add(key), value) if isinstance(value, dict) else (tree, {key: value})
        text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False).rstrip()
        branch.add(Syntax(text, "yaml", background_color="default"))
    Console(stderr=True, markup=False, emoji=False).print(tree)
