"""What a gallery needs to know of a model. Needs no torch."""

from typing import NamedTuple

from facerec.models.statistics import Statistics


class ModelRecord(NamedTuple):
    """Identifies the model that made the vectors of a gallery.

    Attributes:
        fingerprint: of what decides the vectors. Vectors of two models can't be compared.
        dim: length of a vector.
        statistics: with thresholds and calibration.
    """

    fingerprint: str
    dim: int
    statistics: Statistics = Statistics()
