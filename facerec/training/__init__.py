"""One training run: the LightningModule, its schedules, callbacks and precision; imported when first asked for."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from facerec.training.adabelief import AdaBelief
    from facerec.training.ema import EMA
    from facerec.training.learner import Learner
    from facerec.training.pair_accuracy import PairAccuracy
    from facerec.training.progress import ProgressBar
    from facerec.training.run import run_training
    from facerec.training.schedules import constant, cosine, warm_restarts
    from facerec.training.teaching import open_teacher

__all__ = [
    "EMA",
    "AdaBelief",
    "Learner",
    "PairAccuracy",
    "ProgressBar",
    "constant",
    "cosine",
    "open_teacher",
    "run_training",
    "warm_restarts",
]

_MODULES = {
    "adabelief": ["AdaBelief"],
    "ema": ["EMA"],
    "learner": ["Learner"],
    "pair_accuracy": ["PairAccuracy"],
    "progress": ["ProgressBar"],
    "run": ["run_training"],
    "schedules": ["constant", "cosine", "warm_restarts"],
    "teaching": ["open_teacher"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
