"""Where a model comes from, for the contract of another that was made with it: its student, say."""

from typing import Any

from facerec.models.model import Model

_PASSED_ON = ("licence", "licences", "non_commercial", "teacher", "teachers")


def describe_source(model: Model) -> dict[str, Any]:
    """Name, fingerprint, licence, training data and teachers of a model, plain values.

    Args:
        model: a teacher, or what a training starts from.
    """
    origin = model.origin
    trained_on = origin.get("trained_on") or (model.trained_on or {}).get("dataset")
    passed_on = {key: origin[key] for key in _PASSED_ON if origin.get(key)}
    return {
        "name": str(model.path),
        "fingerprint": model.fingerprint,
        "licence": None,
        "trained_on": trained_on,
        **passed_on,
    }
