"""Statistics of a model: the typed content of its `statistics.json`."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from facerec.errors import ModelError


@dataclass(frozen=True)
class Threshold:
    """The similarity that holds a false accept rate of pairs, with its 95 % interval; None: not reached."""

    far: float
    threshold: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Sigmoid:
    """Similarity → probability that a pair is of one person, when either answer is as likely beforehand."""

    slope: float
    intercept: float

    def __call__(self, similarity: float) -> float:
        """The probability, 0..1."""
        return 0.5 * (1 + math.tanh((self.slope * similarity + self.intercept) / 2))  # exp would overflow


@dataclass(frozen=True)
class Statistics:
    """What was measured of a model. A value that is missing was not measured.

    Attributes:
        channels: mean and standard deviation of the training crops, 0..255.
        metrics: of the checkpoint that the model was made from, by name.
        trained_on: `dataset`, and `identities`: digests of those it was trained on, which no evaluation may use.
        ensemble: members, weights and moments of their pairs.
        thresholds: at target false accept rates, strictest last.
        sample_exponent: a with which k samples of a person give strangers k^a times the chances of one, see
            `metrics.sample_exponent`.
        calibration: of similarities.
        evaluated_on: the data set that the thresholds were measured on.
        other: keys that another version of this package wrote; they are kept.
    """

    channels: Mapping[str, Any] | None = None
    metrics: Mapping[str, float] | None = None
    trained_on: Mapping[str, Any] | None = None
    ensemble: Mapping[str, Any] | None = None
    thresholds: tuple[Threshold, ...] = ()
    sample_exponent: float | None = None
    calibration: Sigmoid | None = None
    evaluated_on: Mapping[str, Any] | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, similarity: float) -> float | None:
        """Probability that a pair of this similarity is one person; None if the model was not evaluated."""
        return None if self.calibration is None else self.calibration(similarity)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> "Statistics":
        """Read the values of the file `path`.

        Raises:
            ModelError: they are not what this package writes.
        """
        known = {entry.name: values[entry.name] for entry in fields(cls) if entry.name in values}
        for key in {"ensemble", "evaluated_on"} & known.keys():  # a split was a part before format 2
            if isinstance(known[key], dict) and "part" in known[key]:
                known[key] = {"split" if name == "part" else name: value for name, value in known[key].items()}
        try:
            known["thresholds"] = tuple(Threshold(**point) for point in known.get("thresholds") or ())
            if known.get("calibration") is not None:
                known["calibration"] = Sigmoid(**known["calibration"])
        except TypeError as error:
            raise ModelError(f"{path}: is damaged ({error}); evaluate the model again") from error
        return cls(**known, other={key: value for key, value in values.items() if key not in known})

    def to_json(self) -> dict[str, Any]:
        """The plain values of the file; what was not measured is left out."""
        values = {key: value for key, value in asdict(self).items() if key != "other" and value not in (None, ())}
        return {**values, **self.other}
