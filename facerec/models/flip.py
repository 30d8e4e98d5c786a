"""Embeddings of a crop and its mirror image together, as published figures use them (flip test)."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facerec.crops.contract import Crops
from facerec.errors import ModelError
from facerec.models.base import CropEmbedder
from facerec.models.model import Model
from facerec.models.statistics import Statistics

_TINY = np.float32(1e-12)  # what is shorter is zero, and stays so


class FlipEmbedder:
    """Embeds a crop x as the sum of the vectors of x and of its mirror image, scaled to unit length.

    Of several members each has its own sum scaled before they are weighted: z = (√w₁·v₁, …, √w_K·v_K) with
    v_k = unit(u_k(x) + u_k(mirror x)), so that ⟨z, z'⟩ is Σ w_k ⟨v_k, v_k'⟩ as without mirror images. The sum of
    whole ensemble vectors would give more weight to the member whose two vectors are more alike.

    Args:
        members: embed the crops.
        weights: one for each member, of sum 1.
    """

    def __init__(
        self, members: Sequence[CropEmbedder], weights: Sequence[float] | NDArray[np.float32] = (1.0,)
    ) -> None:
        self._members = tuple(members)
        self._roots = np.sqrt(np.asarray(weights, np.float32))

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return sum(member.embedding_dim for member in self._members)

    def embed(self, crops: Crops, batch_size: int = 256) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]`, of unit length.

        Vectors that are not finite stay so.
        """
        pairs = zip(self._members, self._roots, strict=True)
        return np.concatenate([root * _unit_sum(member, crops, batch_size) for member, root in pairs], axis=1)


class FlippedModel(Model):
    """A model whose vectors are those of crops and their mirror images together; see `FlipEmbedder`.

    Its fingerprint is another, since its vectors are no neighbours of the model's own. Nothing is stored with the
    model: its thresholds are for its own vectors.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.path, self.trained_on, self.origin = model.path, model.trained_on, model.origin

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._model.dim

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of what decides the vectors."""
        return hashlib.sha256(f"flip {self._model.fingerprint}".encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of its weights on disk."""
        return self._model.size

    @property
    def statistics(self) -> Statistics:
        """Those of the model."""
        return self._model.statistics

    def store(self, statistics: Statistics) -> None:
        """Refuse to store what was found with mirror images."""
        raise ModelError(f"{self.path}: statistics found with mirror images are not those of the model")

    @property
    def weights(self) -> NDArray[np.float32] | None:  # type: ignore[override]
        """Weight of each member, of an ensemble."""
        return self._model.weights

    @property
    def members(self) -> Mapping[str, CropEmbedder]:
        """Name → embedder of each member."""
        return {name: FlipEmbedder([member]) for name, member in self._model.members.items()}

    @property
    def embedder(self) -> CropEmbedder:
        """All members, weighted."""
        if self.weights is None:
            return FlipEmbedder([self._model.embedder])
        return FlipEmbedder(list(self._model.members.values()), self.weights)

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """Any number of crops `uint8 [N, 3, 112, 112]`, or one → `float32 [N, d]`, of unit length."""
        return self.embedder.embed(crops)


def _unit_sum(member: CropEmbedder, crops: Crops, batch_size: int) -> NDArray[np.float32]:
    both = member.embed(crops, batch_size) + member.embed(crops[..., ::-1], batch_size)
    unit: NDArray[np.float32] = both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), _TINY)
    return unit
