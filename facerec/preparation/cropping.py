"""From photos to aligned crops on the disk, a batch at a time."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.io import encode_png

from facerec.crops import FORMATS, align, pick_photos, read_photo, sharpness
from facerec.errors import ConfigError, DataError
from facerec.faces import Detector, Face, refuse
from facerec.runtime.os_errors import naming
from facerec.runtime.work_shard import Shard

UNKNOWN = "unknown"
_MOST_PIXELS = 64_000_000  # of the photos in one batch, so that large ones do not fill the memory

Row = dict[str, Any]


@dataclass(frozen=True)
class Preparation:
    """How the faces in photos become crops.

    Args:
        root: the folder of photos.
        crops: where crops go, as `CROPS/PERSON/PHOTO-INDEX.png`.
        detector: finds the faces.
        choose: arguments of `facerec.faces.refuse` by name: which, min_size, min_score.
        batch_size: photos a detector gets at once.
        num_workers: threads that read photos (decoders let go of Python's lock).
    """

    root: Path
    crops: Path
    detector: Detector
    choose: dict[str, Any]
    batch_size: int
    num_workers: int

    def __post_init__(self) -> None:
        """Refuse what can't work before anything is written."""
        for name in ("batch_size", "num_workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"data.{name} must be at least 1, not {getattr(self, name)}")
        refuse([], **self.choose, photo_size=(1, 1))

    def run(self, sources: Sequence[str]) -> Iterator[dict[str, list[Row]]]:
        """For each batch, each photo's rows of the manifest, after its crops are written."""
        waiting: dict[str, Tensor] = {}
        for source, photo in _ahead(self._read, sources, self.num_workers):
            if isinstance(photo, str):
                yield {source: [_row(source, reason=photo)]}
                continue
            waiting[source] = photo
            if len(waiting) == self.batch_size or _pixels(waiting.values()) > _MOST_PIXELS:
                yield self._cut(waiting)
                waiting = {}
        if waiting:
            yield self._cut(waiting)

    def _read(self, source: str) -> Tensor | str:
        file = self.root / source
        try:
            return read_photo(file)
        except DataError as error:
            return "unreadable: " + str(error).removeprefix(f"{file}: ")

    def _cut(self, photos: dict[str, Tensor]) -> dict[str, list[Row]]:
        found = self.detector.find(list(photos.values()))
        return {
            source: self._cut_one(source, photo, faces)
            for (source, photo), faces in zip(photos.items(), found, strict=True)
        }

    def _cut_one(self, source: str, photo: Tensor, faces: list[Face]) -> list[Row]:
        size = (photo.shape[1], photo.shape[2])
        reasons = refuse(faces, **self.choose, photo_size=size)
        rows = [_row(source, size, face, reason=reason) for face, reason in zip(faces, reasons, strict=True)]
        kept = [row for row in rows if not row["reason"]]
        if not faces:
            return [_row(source, size, reason="no face")]
        points = torch.tensor([row["landmarks"] for row in kept]).reshape(-1, 5, 2)
        crops = align(photo, points).cpu()
        for index, (row, crop, sharp) in enumerate(zip(kept, crops, sharpness(crops).tolist(), strict=True)):
            file = self.crops / row["person"] / f"{_flat(source)}-{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            with naming(file):  # torchvision's write_png is silent about a full disk
                file.write_bytes(encode_png(crop, compression_level=1).numpy().tobytes())
            row |= {"index": index, "crop": file.relative_to(self.crops).as_posix(), "sharpness": round(sharp, 2)}
        return rows


def list_photos(root: Path, shard: str) -> list[str]:
    """Paths of the photos below a folder, as seen from it, sorted; of `n` shards the `i`-th, for `i/n` from 0.

    See `facerec.faces.pick_photos` for what is passed over.

    Raises:
        ConfigError: there is no such folder or no picture in it, or the shard is not `i/n` with 0 <= i < n.
    """
    share = Shard.parse(shard)
    if not root.is_dir():
        raise ConfigError(f"photos: there is no folder {root}")
    sources = sorted(file.relative_to(root).as_posix() for file in pick_photos(root.rglob("*"), root))
    if not sources:
        raise ConfigError(f"photos: no pictures below {root} ({FORMATS})")
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
    """A photo's path below its person as one file name, another one for each path."""
    name = source.partition("/")[2] or source
    name = name.replace("%", "%25").replace("/", "%2F")
    if len(name.encode()) > 200:  # names of files end at 255 bytes
        name = name[:40] + hashlib.sha256(name.encode()).hexdigest()[:16]
    return name


def _ahead(
    read: Callable[[str], Tensor | str], sources: Sequence[str], workers: int
) -> Iterator[tuple[str, Tensor | str]]:
    """What `read` gives for each source, in order; twice as many as there are workers are read ahead."""
    running: deque[tuple[str, Future[Tensor | str]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for source in sources:
                running.append((source, pool.submit(read, source)))
                if len(running) > 2 * workers:
                    first, done = running.popleft()
                    yield first, done.result()
            while running:
                first, done = running.popleft()
                yield first, done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _pixels(photos: Any) -> int:
    return sum(photo.shape[1] * photo.shape[2] for photo in photos)
