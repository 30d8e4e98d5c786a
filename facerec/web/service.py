"""Recognition and enrolment in one gallery: decode, detect and embed, then ask the gallery."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

from facerec.gallery import Enrolled, EnrolmentCheck, Gallery, Sample, acting_as
from facerec.gallery.names import printable
from facerec.recognition import Named, PhotoFaces, identify_photo, review, sample_of, weakness
from facerec.web.pipeline import Pipeline
from facerec.web.problems import Problem

UNLIKE = "urn:facerec:unlike"  # the type of the problem that a user may override


class PhotoOutcome(NamedTuple):
    """The outcome for one photo of an enrolment: its sample or why it was refused, doubts, and what is weak."""

    source: str
    sample: Sample | str
    check: EnrolmentCheck
    weak: str


class Service:
    """Recognises and enrols people.

    Args:
        gallery: an open gallery.
        pipeline: of its model.
    """

    def __init__(self, gallery: Gallery, pipeline: Pipeline) -> None:
        self.gallery, self.settings, self.limits = gallery, pipeline.settings, pipeline.limits
        self.run_in_thread, self.embed_photo, self.decode = (
            pipeline.run_in_thread,
            pipeline.embed_photo,
            pipeline.decode,
        )

    async def identify(self, data: bytes, far: float, top: int) -> tuple[PhotoFaces, list[Named]]:
        """The faces of a photo, and who they are.

        Raises:
            Problem: see `embed_photo`.
        """
        photo = await self.embed_photo(data)
        rule = {"far": far, "per": self.settings.per}
        return photo, await self.run_in_thread(identify_photo, self.gallery, photo.vectors, top=top, **rule)

    async def enroll(
        self,
        who: str | UUID,
        photos: Sequence[tuple[str, bytes]],
        face: int | None,
        actor: str,
        *,
        new: bool = False,
        ask: bool = False,
    ) -> tuple[Enrolled, list[PhotoOutcome]]:
        """Enrol a person from photos, all in one transaction.

        Args:
            who: name or id of the person.
            photos: file names and contents.
            face: number of the face, from 1; None: the largest of each photo.
            actor: for the audit.
            new: create a person even if somebody has that name.
            ask: enrol nothing if a face does not look like the person of that name.

        Raises:
            Problem: 422, no photo has a face to enrol; 409, with `ask`, a face does not look like the person.
        """
        outcomes = []
        for file, data in photos:  # one at a time, so that a large enrolment does not hold up other requests
            source, weak = base_name(file), ""
            try:
                sample, weak = self._review(await self.embed_photo(data), source, face)
            except Problem as problem:
                if len(photos) == 1 or problem.status == 503:
                    raise
                sample = problem.detail
            check = EnrolmentCheck(None, None)
            if not isinstance(sample, str) and not new:
                check = await self._check(sample, who)
            if check.unlike is not None:
                reason = f"does not look like the photos enrolled as {await self._name(who)}"
                if self.settings.review == "strict":
                    sample = reason
                elif ask:
                    raise Problem(409, f"the face in {source} {reason}", kind=UNLIKE)
            outcomes.append(PhotoOutcome(source, sample, check, weak))
        samples = [outcome.sample for outcome in outcomes if isinstance(outcome.sample, Sample)]
        if not samples:
            reasons = "; ".join(f"{outcome.source}: {outcome.sample}" for outcome in outcomes)
            raise Problem(422, f"nobody was enrolled: {reasons}")
        with acting_as(actor):
            return await self.run_in_thread(self.gallery.enroll, who, samples, new=new), outcomes

    async def sample(self, data: bytes, file: str, face: int) -> Sample:
        """Face number `face` of a photo, from 1.

        Raises:
            Problem: see `embed_photo`; 422, the photo has no such face.
        """
        photo = await self.embed_photo(data)
        if face > len(photo.faces):
            raise Problem(422, f"face: {face} does not exist; the photo has {len(photo.faces)} faces")
        return sample_of(photo, face - 1, base_name(file), keep=self.settings.keep_crops)

    async def _name(self, who: str | UUID) -> str:
        if isinstance(who, str):
            return who
        person, _ = await self.run_in_thread(self.gallery.show, who)
        return person.name

    async def _check(self, sample: Sample, who: str | UUID) -> EnrolmentCheck:
        far, per, vectors = self.settings.far, self.settings.per, sample.vector[None]
        [check] = await self.run_in_thread(self.gallery.check_enrolment, who, vectors, far=far, per=per)
        return check

    def _review(self, photo: PhotoFaces, source: str, face: int | None) -> tuple[Sample | str, str]:
        """The sample or why it is refused, and what is weak about it."""
        if face is not None:
            if not 1 <= face <= len(photo.faces):
                return f"face {face} does not exist; the photo has {len(photo.faces)} faces", ""
            photo = photo.only(face - 1)
        gates = self.settings.gates
        strict = gates if self.settings.review == "strict" else None
        return review(photo, source, strict=strict, keep=self.settings.keep_crops), weakness(photo, gates)


def base_name(file: str) -> str:
    """A photo's file name without its folders, in one line of at most 200 characters."""
    return printable(PurePosixPath(file.replace("\\", "/")).name)[:200] or "photo"
