"""Every leaf of conf/ is composed into its job and built."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from facerec.job import CONFIG_DIR

LEAVES = sorted(file.relative_to(CONFIG_DIR).with_suffix("").as_posix() for file in CONFIG_DIR.glob("*/*.yaml"))
NEEDS_A_FOLDER = {"dataset/celeba", "dataset/folder"}


def _composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_builds(leaf: str, tmp_path: Path) -> None:
    group, name = leaf.split("/")
    given = [f"{group}={name}", f"hydra.runtime.output_dir={tmp_path}"]
    given += [f"{group}.root={tmp_path}"] if leaf in NEEDS_A_FOLDER else []
    chosen = _composed(*given)[group]
    match group:
        case "loss":
            built = instantiate(chosen, embedding_dim=8, num_classes=5)
            assert built.prototypes.shape[0] == 5
        case "callbacks":
            assert [instantiate(callback) for callback in chosen.values()]
        case "trainer":
            assert instantiate(chosen, precision="32-true", logger=False, default_root_dir=str(tmp_path)).max_epochs
        case "optimizer" | "scheduler":
            assert callable(instantiate(chosen))
        case "logger":
            assert chosen is None or not chosen or instantiate(chosen).save_dir == str(tmp_path)
        case "dataset" if leaf in NEEDS_A_FOLDER:
            with pytest.raises(Exception, match="DataError"):
                instantiate(chosen)
        case _:
            assert instantiate(chosen)


def test_every_leaf_says_what_it_is_for() -> None:
    silent = [leaf for leaf in LEAVES if not (CONFIG_DIR / f"{leaf}.yaml").read_text().startswith("# ")]
    assert silent == []


def test_jobs_alone_import_hydra() -> None:
    package = Path(__file__).parents[1] / "facerec"
    importers = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if "import hydra" in (text := file.read_text()) or "from hydra" in text
    }
    assert importers == {"job.py", "train.py"}
