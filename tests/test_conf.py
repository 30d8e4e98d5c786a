"""Every leaf of conf/ is composed into its job and built."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, MissingConfigException
from hydra.utils import instantiate
from omegaconf import DictConfig, open_dict

from facerec.errors import ConfigError
from facerec.job.keys import CONFIG_DIR, check_keys, declared

LEAVES = sorted(  # those with an underscore are what leaves share, those in shared/ what jobs do
    file.relative_to(CONFIG_DIR).with_suffix("").as_posix()
    for file in CONFIG_DIR.glob("*/**/[!_]*.yaml")
    if file.parent.name != "shared"
)
JOBS = sorted(file.stem for file in CONFIG_DIR.glob("*.yaml"))
NEEDS_DATA = {
    "dataset/celeba": "root",
    "dataset/folder": "root",
    "dataset/recordio": "root",
    "dataset/table": "file",
    "protocol/ijb": "root",
}


def _composed(job: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose(job, list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def _groups(job: str) -> set[str]:
    """Those that the job chooses from; of search, those that train has not."""
    groups = {key for key in declared(CONFIG_DIR / f"{job}.yaml") if (CONFIG_DIR / key).is_dir()}
    return groups - (_groups("train") if job == "search" else set())


def _jobs(leaf: str) -> list[str]:
    """Those that can choose the leaf; of the recipes of a study each is one job's."""
    group, _, name = leaf.partition("/")
    if group == "experiment":
        return [{"ensemble": "assemble", "evaluation": "evaluate"}.get(name.rpartition("/")[2], "train")]
    return [job for job in JOBS if group in _groups(job)]


BELONGS = [(job, leaf) for leaf in LEAVES for job in _jobs(leaf)]


@pytest.mark.parametrize(("job", "leaf"), BELONGS)
def test_each_leaf_builds(job: str, leaf: str, tmp_path: Path) -> None:
    group, name = leaf.split("/", 1)
    if leaf == "backbone/timm":
        pytest.importorskip("timm", reason="timm is not installed: pip install 'facerec[timm]'")
    given = [f"{group}={name}", f"hydra.runtime.output_dir={tmp_path}"]
    given += [f"{group}.{NEEDS_DATA[leaf]}={tmp_path}"] if leaf in NEEDS_DATA else []
    given += ["callbacks.pairs.files=[lfw.bin]"] if leaf == "callbacks/pairs" else []
    given += [f"detector.weights={tmp_path}"] if leaf == "detector/face_alignment" else []
    config = _composed(job, *given)
    if group == "experiment":  # a leaf that goes to where the groups go
        assert config.study == name.partition("/")[0]
        assert all(instantiate(config[key]) for key in ("backbone", "optimizer", "weighting") if key in config)
        return
    if group == "debug":
        group = "trainer"
    chosen = config[group]
    match group:
        case "loss":
            built = instantiate(chosen, embedding_dim=8, num_classes=5)
            assert built is None if name == "none" else built.prototypes.shape[0] == 5
        case "callbacks":
            assert [instantiate(callback) for callback in chosen.values()]
        case "paths":
            assert chosen.keys() == {"cache", "galleries", "outputs", "data"}
        case "trainer":
            assert instantiate(chosen, precision="32-true", logger=False, default_root_dir=str(tmp_path)).max_epochs
        case "optimizer" | "scheduler" | "weighting":
            assert callable(instantiate(chosen))
        case "logger":
            assert all(instantiate(logger).save_dir == str(tmp_path) for logger in (chosen or {}).values())
        case "hparams_search":
            assert [instantiate(values) for values in chosen.space.values()]
            assert instantiate(chosen.sampler)(seed=0)
            assert instantiate(chosen.pruner)
        case "dataset" if leaf in NEEDS_DATA:
            with pytest.raises(Exception, match="DataError"):
                instantiate(chosen)
        case "detector" if name == "face_alignment":
            with pytest.raises(Exception, match=r"ConfigError.*s3fd-619a316812\.pth"):
                instantiate(chosen)
        case _:
            assert instantiate(chosen)


def test_every_leaf_belongs_to_a_job() -> None:
    launchers = {leaf for leaf in LEAVES if leaf.startswith("hydra/launcher/")}  # see test_sweep.py
    assert set(LEAVES) == {leaf for _, leaf in BELONGS} | launchers


def test_every_leaf_says_what_it_is_for() -> None:
    silent = [leaf for leaf in LEAVES if not (CONFIG_DIR / f"{leaf}.yaml").read_text().startswith("# ")]
    assert silent == []


@pytest.mark.parametrize("job", JOBS)
def test_unknown_keys_are_refused_by_their_path(job: str) -> None:
    check_keys(_composed(job), CONFIG_DIR / f"{job}.yaml")
    with pytest.raises(ConfigCompositionException, match=r"data\.batch_sise"):
        _composed(job, "data.batch_sise=1")
    group = next(iter(HydraConfig.get().runtime.choices))
    with pytest.raises(MissingConfigException, match=f"{group}/orrl"):
        _composed(job, f"{group}=orrl")
    with pytest.raises(ConfigError, match="sede: no such key"):
        check_keys(_composed(job, "+sede=1"), CONFIG_DIR / f"{job}.yaml")
