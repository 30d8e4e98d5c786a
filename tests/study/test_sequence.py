import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from facerec.errors import ConfigError
from facerec.job import CONFIG_DIR, recipes_of
from facerec.study.layout import member_names
from facerec.study.sequence import steps
from tests.conftest import Run

STUDIES = sorted(folder.name for folder in (CONFIG_DIR / "experiment").iterdir())


def test_a_sweep_for_each_recipe_then_assembly_and_evaluation() -> None:
    recipes = ["_base", "deep", "ensemble", "evaluation", "wide"]
    sequence = steps("mine", recipes, Path("out"), launcher="processes", train=["seed=1"], evaluate=["seed=2"])
    assert [step.command for step in sequence] == [
        ["-m", "facerec.train", "--multirun", "experiment=mine/deep", "hydra/launcher=processes", "seed=1"],
        ["-m", "facerec.train", "--multirun", "experiment=mine/wide", "hydra/launcher=processes", "seed=1"],
        ["-m", "facerec.assemble", "experiment=mine/ensemble"],
        ["-m", "facerec.evaluate", "experiment=mine/evaluation", "seed=2"],
    ]
    assert [str(step.result) for step in sequence] == [
        *("out/mine/deep/best.json", "out/mine/wide/best.json"),
        *("out/mine/ensemble/inputs.json", "out/mine/evaluation/inputs.json"),
    ]


@pytest.mark.parametrize(
    "recipes", [["resnet18", "ensemble"], ["resnet18", "evaluation"], ["ensemble", "evaluation"]]
)
def test_a_study_that_lacks_a_recipe_is_refused(recipes: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"conf/experiment/mine"):
        steps("mine", recipes, Path("out"))


@pytest.mark.parametrize("study", STUDIES)
def test_each_recipe_composes_for_its_job_and_lies_in_its_study(study: str) -> None:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        assert study in recipes_of("")
        recipes = recipes_of(study)
        for member in member_names(recipes):
            cfg = compose("train", [f"experiment={study}/{member}"], return_hydra_config=True)
            assert cfg.study == study
            assert cfg.hydra.sweep.dir == f"outputs/{study}/{member}"
            assert cfg.hydra.runtime.choices.backbone == member
        for job, recipe in (("assemble", "ensemble"), ("evaluate", "evaluation")):
            cfg = compose(job, [f"experiment={study}/{recipe}"], return_hydra_config=True)
            assert cfg.hydra.run.dir == f"outputs/{study}/{recipe}"


def test_the_job_says_what_it_would_do(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("study", "study=orl", "dry_run=true") == 0
    output = capfd.readouterr().out
    assert "1 of 5, to do: python -m facerec.train --multirun experiment=orl/resnet18" in output
    assert "5 of 5, to do: python -m facerec.evaluate experiment=orl/evaluation" in output
    assert run("study", "study=orl", "dry_run=true", "paths.outputs=elsewhere") == 0
    assert capfd.readouterr().out.count("paths.outputs=") == 5
    assert run("study", "study=resnet18", "dry_run=true") == 1
    assert "experiment: resnet18 is no study" in "".join(capfd.readouterr())


def test_a_job_that_fails_ends_the_study_with_what_to_do(in_folder: Path) -> None:
    command = [sys.executable, "-m", "facerec.study", "experiment=orl", "train=['seed=-1']", "paths.cache=cache"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    output = ended.stdout + ended.stderr
    assert "seed must lie between 0" in output
    assert "train ended with status 1; the same command goes on from there" in output
    assert "2 of 5: python" not in output  # the second sweep was not begun
