"""A pair set: crops, pairs of them, and which pairs show one person."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facerec.crops.contract import Crops
from facerec.errors import DataError, ModelError
from facerec.metrics import FoldAccuracy, fold_accuracy
from facerec.models import CropEmbedder

_BATCH = 64  # crops in the embedder at once


@dataclass(frozen=True)
class PairSet:
    """P pairs of N crops.

    Attributes:
        name: of the files it was read from, without their suffixes.
        crops: `uint8 [N, 3, 112, 112]`, each image once.
        left: `int64 [P]`, row of each pair's first crop.
        right: `int64 [P]`, row of its second.
        same: `bool [P]`, whether it is one person.
        fold: `int64 [P]`.
        identities: `int64 [N]`, who is in each image, as far as is known.
        missing: names of images that are not there; their pairs are left out.
        faceless: names of images without a face; their pairs are left out, too.

    Raises:
        DataError: there is no genuine or no impostor pair.
    """

    name: str
    crops: Crops
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]
    identities: NDArray[np.int64]
    missing: list[str] = field(default_factory=list)
    faceless: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what no error rate can be measured on."""
        if self.same.all() or not self.same.any():
            kind = "two people" if self.same.any() else "one person"
            raise DataError(f"{self.name}: none of its {len(self.same)} pairs is of {kind}")

    @property
    def pair_identities(self) -> NDArray[np.int64]:
        """Who is in the two images of each pair: `int64 [P, 2]`."""
        return np.stack([self.identities[self.left], self.identities[self.right]], axis=1)

    def similarities(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of all pairs, `float32 [P]`, of unit embeddings `float32 [N, d]`."""
        similarity: NDArray[np.float32] = (embeddings[self.left] * embeddings[self.right]).sum(axis=1)
        return similarity

    def accuracy(self, embeddings: NDArray[np.float32]) -> FoldAccuracy:
        """How often pairs are called what they are, by unit embeddings `float32 [N, d]`; see `fold_accuracy`."""
        return fold_accuracy(self.similarities(embeddings), self.same, self.fold)


def embed_pair_set(pair_set: PairSet, embedder: CropEmbedder, member: str) -> NDArray[np.float32]:
    """Embed the crops of a pair set: unit `float32 [N, d]`.

    Args:
        pair_set: whose crops.
        embedder: embeds them.
        member: its name, for messages.

    Raises:
        ModelError: an embedding is not finite.
    """
    vectors = []
    title = f"{pair_set.name} {member}"
    with tqdm(total=len(pair_set.crops), desc=title, unit="crop", leave=False, delay=2) as progress:
        for start in range(0, len(pair_set.crops), _BATCH):
            vectors.append(embedder.embed(pair_set.crops[start : start + _BATCH]))
            progress.update(len(vectors[-1]))
    embeddings = np.concatenate(vectors)
    if not np.isfinite(embeddings).all():
        raise ModelError(f"member {member}: embeddings are not finite; train it again or check its contract")
    return embeddings
