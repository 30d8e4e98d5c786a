"""Write the crops of a folder of photos, and what is known of each."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facerec.crops import encode_png, list_photos, sharpness
from facerec.errors import ConfigError
from facerec.faces import CroppedPhoto, Detector, Face, crop_files, refusal_reasons
from facerec.preparation.manifest import Row
from facerec.runtime.files import replace_file
from facerec.runtime.work_shard import Shard

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Preparation:
    """How photos become files of crops.

    Args:
        root: the folder of photos.
        crops: folder for the crops, which become `CROPS/PERSON/PHOTO-INDEX.png`.
        detector: finds the faces.
        choose: which faces become crops, as arguments of `facerec.faces.crop_faces`: which, min_size, min_score.
        batch_size: photos in the detector at once.
        num_workers: threads that read photos.

    Raises:
        ConfigError: an argument is out of range; nothing was written.
    """

    root: Path
    crops: Path
    detector: Detector
    choose: dict[str, Any]
    batch_size: int
    num_workers: int

    def __post_init__(self) -> None:
        """Check the arguments."""
        for name in ("batch_size", "num_workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"data.{name} must be at least 1, not {getattr(self, name)}")
        refusal_reasons([], **self.choose, photo_size=(1, 1))

    def run(self, sources: Sequence[str]) -> Iterator[dict[str, list[Row]]]:
        """For each batch, the manifest's rows of each photo, after its crops are written."""
        batches = crop_files(
            [self.root / source for source in sources],
            self.detector,
            **self.choose,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
        )
        for batch in batches:
            yield {photo.file.relative_to(self.root).as_posix(): self._write(photo) for photo in batch}

    def _write(self, photo: CroppedPhoto) -> list[Row]:
        source = photo.file.relative_to(self.root).as_posix()
        if photo.problem:
            return [_row(source, reason=f"unreadable: {photo.problem}")]
        size = (photo.photo.shape[0], photo.photo.shape[1])
        if not photo.faces:
            return [_row(source, size, reason="no face")]
        rows = [_row(source, size, face, reason) for face, reason in zip(photo.faces, photo.reasons, strict=True)]
        accepted = [row for row in rows if not row["reason"]]
        for index, (row, crop) in enumerate(zip(accepted, photo.crops, strict=True)):
            file = self.crops / row["person"] / f"{_flat(source)}-{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, encode_png(crop.transpose(1, 2, 0)))
            sharp = round(sharpness(crop), 2)
            row |= {"index": index, "crop": file.relative_to(self.crops).as_posix(), "sharpness": sharp}
        return rows


def list_sources(root: Path, shard: str) -> list[str]:
    """Paths of the photos in a folder, relative to it, sorted; of `n` shards the `i`-th, for `i/n` from 0.

    Raises:
        ConfigError: there is no such folder or no photo in it, or the shard is not `i/n` with 0 <= i < n.
    """
    share = Shard.parse(shard)
    if not root.is_dir():
        raise ConfigError(f"photos: there is no folder {root}")
    sources = sorted(file.relative_to(root).as_posix() for file in list_photos(root))
    return sources[share.first :: share.step]


def _row(source: str, size: tuple[int, int] | None = None, face: Face | None = None, reason: str = "") -> Row:
    """A row of the manifest, of plain values; the person is the first folder of the source."""
    return {
        "source": source,
        "person": source.split("/")[0] if "/" in source else UNKNOWN,
        "height": size[0] if size else None,
        "width": size[1] if size else None,
        "box": face.box.tolist() if face else None,
        "landmarks": face.landmarks.flatten().tolist() if face else None,
        "score": face.score if face else None,
        "sharpness": None,
        "index": None,
        "crop": None,
        "reason": reason or None,
    }


def _flat(source: str) -> str:
    """A photo's path below its person as one file name; different paths have different names."""
    name = source.partition("/")[2] or source
    name = name.replace("%", "%25").replace("/", "%2F")
    if len(name.encode()) > 200:  # names of files end at 255 bytes
        name = name[:40] + hashlib.sha256(name.encode()).hexdigest()[:16]
    return name
