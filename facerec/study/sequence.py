"""The sequence of a study: a sweep for each member, their assembly, the evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from facerec.errors import ConfigError
from facerec.study.best import BEST
from facerec.study.freshness import INPUTS
from facerec.study.layout import ENSEMBLE, EVALUATION, member_names


class Step(NamedTuple):
    """A job of a study.

    Attributes:
        job: of this package, such as "train".
        arguments: of its command line.
        result: what is there once it has been finished.
    """

    job: str
    arguments: tuple[str, ...]
    result: Path

    @property
    def command(self) -> list[str]:
        """What follows `python`."""
        return ["-m", f"facerec.{self.job}", *self.arguments]


def steps(
    study: str,
    recipes: Sequence[str],
    outputs: Path,
    *,
    launcher: str = "basic",
    train: Sequence[str] = (),
    assemble: Sequence[str] = (),
    evaluate: Sequence[str] = (),
) -> list[Step]:
    """The jobs of a study, in order. Each of them leaves alone what is finished and goes on where it stopped.

    Args:
        study: its name, which is that of its folder of recipes.
        recipes: what is in that folder.
        outputs: the folder that holds the studies' results.
        launcher: of the sweeps.
        train: more overrides of the sweeps.
        assemble: of the assembly.
        evaluate: of the evaluation.

    Raises:
        ConfigError: the study has no member, or no recipe for ensemble or evaluation.
    """
    members = member_names(recipes)
    if missing := [name for name in (ENSEMBLE, EVALUATION) if name not in recipes] or (
        [] if members else ["resnet18"]
    ):
        raise ConfigError(f"experiment: there is no conf/experiment/{study}/{missing[0]}.yaml")
    on_launcher = [] if launcher == "basic" else [f"hydra/launcher={launcher}"]
    sweeps = [
        Step(
            "train",
            ("--multirun", f"experiment={study}/{member}", *on_launcher, *train),
            outputs / study / member / BEST,
        )
        for member in members
    ]
    return [
        *sweeps,
        Step("assemble", (f"experiment={study}/{ENSEMBLE}", *assemble), outputs / study / ENSEMBLE / INPUTS),
        Step("evaluate", (f"experiment={study}/{EVALUATION}", *evaluate), outputs / study / EVALUATION / INPUTS),
    ]
