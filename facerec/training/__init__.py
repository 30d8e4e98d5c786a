"""One training run: the LightningModule, its schedules, callbacks and precision."""

from facerec.training.crop_grid import CropGrid
from facerec.training.learner import Learner
from facerec.training.run import run_training
from facerec.training.schedules import constant, cosine, warm_restarts

__all__ = ["CropGrid", "Learner", "constant", "cosine", "run_training", "warm_restarts"]
