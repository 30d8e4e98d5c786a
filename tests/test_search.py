import json
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from facerec.search import open_study

FOLDER = Path("outputs/faces/resnet18")
LOSSES = CategoricalDistribution(["normface", "softmax"])


@pytest.mark.filterwarnings("ignore:Fixed parameter optimizer.lr")  # beyond its range, so that it is a bad one
def test_a_search_prunes_at_the_median_and_goes_on_where_it_was_killed(
    run: Callable[..., int], tiny: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    FOLDER.mkdir(parents=True)
    study = open_study(FOLDER)
    study.enqueue_trial({"loss": "softmax", "optimizer.lr": 0.001})
    study.ask({"loss": LOSSES, "optimizer.lr": FloatDistribution(1e-4, 1e-2, log=True)})  # its process was killed

    given = [*tiny, "study=faces", "hparams_search.space.loss.choices=[normface,softmax]"]
    given += ["hparams_search.pruner.n_startup_trials=1", "hparams_search.pruner.n_warmup_steps=0"]
    assert run("search", *given, "hparams_search.n_trials=1") == 0
    open_study(FOLDER).enqueue_trial({"loss": "softmax", "optimizer.lr": 0.1})  # leaves nothing of the features
    assert run("search", *given, "hparams_search.n_trials=3") == 0

    trials = open_study(FOLDER).trials
    assert [trial.state for trial in trials[:3]] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.PRUNED]
    assert trials[1].params == {"loss": "softmax", "optimizer.lr": 0.001} == trials[0].params
    assert trials[2].params["optimizer.lr"] == 0.1
    assert len(trials) == 4
    finished = {trial.user_attrs["job"] for trial in trials if trial.state == TrialState.COMPLETE}
    assert {path.parent.name for path in FOLDER.glob("*/model")} == finished
    assert json.loads((FOLDER / "best.json").read_text())["job"] in finished
    assert "pruned" in capfd.readouterr().out

    assert run("search", *given, "hparams_search.n_trials=3") == 0  # all of them have ended
    assert len(open_study(FOLDER).trials) == 4


def test_two_searches_do_not_meet(
    run: Callable[..., int], tiny: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    FOLDER.mkdir(parents=True)
    with FileLock(FOLDER / "search.lock"):
        assert run("search", *tiny, "study=faces") == 1
    assert "another search is at work there" in "".join(capfd.readouterr())


def test_a_failed_trial_ends_in_one_message(
    run: Callable[..., int], tiny: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("search", *tiny, "study=faces", "learner.interval=hour", "hparams_search.n_trials=2") == 1
    said = "".join(capfd.readouterr())
    assert "2 trials failed" in said
    assert "learner.interval must be" in said
    assert "Traceback" not in said
