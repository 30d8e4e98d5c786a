"""Whom a model was trained on, as far as it says: nobody of them may be measured on, or decide weights."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from facerec.data import FaceImages
from facerec.errors import ModelError
from facerec.models.model import Model
from facerec.models.statistics import Statistics

log = logging.getLogger(__name__)


class TrainingPeople(NamedTuple):
    """Of a model, its members included.

    Attributes:
        known: name of a data set → digests of the identities of it that it was trained on.
        unknown: members that do not say whom they were trained on.
    """

    known: Mapping[str, frozenset[str]]
    unknown: tuple[str, ...] = ()

    def shared_with(self, images: FaceImages, *splits: str) -> int | None:
        """How many identities of these splits are among them; None: nobody of this data set is known to be.

        In another data set the same person may have another name.
        """
        if images.name not in self.known:
            return None
        return len(self.known[images.name].intersection(images.identity_digests(*splits)))

    def to_json(self) -> dict[str, Any] | None:
        """As `statistics.json` has it, see `training_people`; None: nothing is known."""
        if not self.known:
            return None
        sets = [{"dataset": name, "identities": sorted(digests)} for name, digests in self.known.items()]
        record: dict[str, Any] = sets[0]
        if sets[1:]:
            record["others"] = sets[1:]
        if self.unknown:
            record["unknown"] = list(self.unknown)
        return record


def training_people(statistics: Statistics) -> TrainingPeople:
    """The key `trained_on` of a model's statistics: `dataset` and `identities`, and of some ensembles more.

    These are `others`, further data sets, and `unknown`, names of members.
    """
    record = statistics.trained_on
    if not isinstance(record, Mapping) or not {"dataset", "identities"} <= record.keys():
        return TrainingPeople({})
    sets = [record, *record.get("others", ())]
    return TrainingPeople(
        {entry["dataset"]: frozenset(entry["identities"]) for entry in sets}, tuple(record.get("unknown", ()))
    )


def people_of(members: Mapping[str, Model]) -> TrainingPeople:
    """Those of all members together."""
    people = {name: training_people(model.statistics) for name, model in members.items()}
    unknown = tuple(name for name, theirs in people.items() if not theirs.known or theirs.unknown)
    return TrainingPeople(joined(*(theirs.known for theirs in people.values())), unknown)


def joined(*known: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Name of a data set → digests of its identities in any of these."""
    names = dict.fromkeys(name for people in known for name in people)
    return {name: frozenset().union(*(people.get(name, ()) for people in known)) for name in names}


def check_unseen(members: Mapping[str, Model], images: FaceImages) -> None:
    """Refuse a member that was trained on people whom the data set calls validation identities.

    What can't be known is logged: a member that does not say its training people, and people of another data set,
    who may have other names there.

    Raises:
        ModelError: names the member.
    """
    asked = set(images.identity_digests("val"))
    for name, model in members.items():
        known = training_people(model.statistics).known
        if shared := len(asked & known.get(images.name, frozenset())):
            raise ModelError(
                f"member {name}: was trained on {shared} of the {len(asked)} validation identities of data set "
                f"{images.name}, which must be new to all members; train it on the same split, or change "
                f"{images.split_by}"
            )
        if not known:
            log.warning("member %s: its training people are unknown, so validation people may be among them", name)
        elif images.name not in known:
            log.info("member %s: was trained on people of %s only, who are not compared", name, ", ".join(known))


def check_same_identities(members: Mapping[str, Model], images: FaceImages) -> None:
    """Refuse a member that was not trained on what the data set calls training identities, and on nobody else.

    Raises:
        ModelError: names a member that was trained on others, or does not say on whom.
    """
    ours = frozenset(images.identity_digests("train", "seen"))
    for name, model in members.items():
        known = training_people(model.statistics).known
        if not known:
            raise ModelError(
                f"member {name}: {model.path} does not say which identities it was trained on; take split=val"
            )
        if known != {images.name: ours}:
            theirs = frozenset().union(*known.values())
            raise ModelError(
                f"member {name}: was trained on other identities ({len(theirs)} of data set {', '.join(known)}) "
                f"than data set {images.name} has for training ({len(ours)}, {len(ours & theirs)} of them the "
                "same); take split=val, or train all members on the same data set and split"
            )
