"""What a gallery has to know of a model: nothing here needs torch."""

from typing import NamedTuple

from facerec.models.statistics import Statistics


class ModelRecord(NamedTuple):
    """Whose vectors are these?

    Attributes:
        fingerprint: of what decides the vectors; those of two models can't be compared.
        dim: length of a vector.
        statistics: for thresholds and calibration.
    """

    fingerprint: str
    dim: int
    statistics: Statistics = Statistics()
