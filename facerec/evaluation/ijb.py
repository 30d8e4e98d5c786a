"""The protocols of IJB-B and IJB-C (Maze et al., ICB 2018): templates of many images, compared and searched for."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from facerec._version import __version__
from facerec.crops.align import ALIGNER_VERSION
from facerec.data.fingerprint import files_fingerprint, list_fingerprint
from facerec.errors import ConfigError, DataError, ModelError
from facerec.evaluation.ijb_files import IjbFiles, IjbImages, Templates, read_ijb
from facerec.evaluation.systems import make_systems
from facerec.metrics import Probes, identification_points
from facerec.metrics.similarity import similarity_blocks
from facerec.models import Model, embed_rows, embeddings_key
from facerec.models.base import CropEmbedder
from facerec.models.embedder import Embedder

log = logging.getLogger(__name__)

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FPIRS = (0.1, 0.01)
RANKS = (1, 5, 10)
_ROWS = 2**16  # images whose vectors are held at once
_PAIRS = 2**20  # pairs whose vectors are compared at once


def measure_ijb(model: Model, *, root: str, weight_by: str | None, cache: Path, batch_size: int) -> dict[str, Any]:
    """TAR at each FAR of the pairs, and rank and detection and identification rates of the searches.

    Args:
        model: what embeds the crops; of an ensemble, its members and their concatenation are measured beside it.
        root: the folder IJBB or IJBC, see `read_ijb`.
        weight_by: what an image counts by in its template: None: all alike; "score": the detector's; "norm": the
            length of its features, a measure of quality where the head of a training left it free.
        cache: folder of embeddings.
        batch_size: crops on the device at once.

    Raises:
        ConfigError: `weight_by` is none of these, or the features of a member are not known.
        DataError: as `read_ijb`, or an image can't be read.
    """
    if weight_by not in (None, "score", "norm"):
        raise ConfigError(f"protocol.weight_by must be null, score or norm, not {weight_by!r}")
    folder = Path(root).expanduser()
    files = read_ijb(folder)
    numbers = np.unique(files.templates)
    sizes = len(files.templates), len(numbers), len(files.same)
    log.info("%s: %d images, %d templates, %d pairs", files.name, *sizes)
    weights = image_weights(files.templates, files.media, files.scores if weight_by == "score" else None)
    points = list_fingerprint(next((folder / "meta").glob("*_name_5pts_score.txt")))
    version = f"{points} {files_fingerprint(files.images.files, cache)} {ALIGNER_VERSION}"
    sums = {}
    for name, member in model.members.items():
        about = {"key": f"{model.fingerprint}/{name}", "images": version}
        own = weights
        if weight_by == "norm":
            own = weights * feature_norms(member, name, files.images, len(weights), batch_size)
        sums[name] = template_sums(member, files, own, **about, cache=cache, batch_size=batch_size)
    systems = {}
    for name, summed in make_systems(sums, model.weights).items():
        vectors = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        systems[name] = verification(vectors, np.searchsorted(numbers, files.pairs), files.same)
        if files.probes:
            systems[name] |= identification(vectors, numbers, files.galleries, files.probes)
    return {
        "version": __version__,
        "protocol": files.name,
        "images": len(files.templates),
        "templates": len(numbers),
        "pairs": len(files.same),
        "impostor_pairs": int((~files.same).sum()),
        "weight_by": weight_by,
        "systems": systems,
    }


def image_weights(
    templates: NDArray[np.int64], media: NDArray[np.int64], scores: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """How much each image counts in its template, `float64 [N]`: the images of a medium together count as one.

    Args:
        templates: `int64 [N]`.
        media: `int64 [N]`.
        scores: `float32 [N]`, by which an image counts beside that; None: all alike.
    """
    _, medium, count = np.unique(np.stack([templates, media]), axis=1, return_inverse=True, return_counts=True)
    shares = 1 / count[medium.ravel()]
    return shares if scores is None else shares * scores


def feature_norms(
    embedder: CropEmbedder, name: str, images: IjbImages, count: int, batch_size: int
) -> NDArray[np.float64]:
    """Length of the features of each image before they are scaled to unit length, `float64 [N]`.

    Args:
        embedder: of the crops.
        name: of the member, for messages.
        images: N of them.
        count: N.
        batch_size: crops on the device at once.

    Raises:
        ConfigError: the embedder gives unit vectors only.
    """
    if not isinstance(embedder, Embedder):
        raise ConfigError(
            f"protocol.weight_by=norm: {name} gives unit vectors only; take score or null, or a model that was "
            "trained here, without flip"
        )
    norms = np.empty(count)
    for start in tqdm(range(0, count, batch_size), "feature norms", unit="batch"):
        rows = np.arange(start, min(start + batch_size, count))
        with torch.inference_mode():
            crops = torch.from_numpy(images[rows]).to(embedder.mean.device)
            norms[rows] = torch.linalg.vector_norm(embedder.features(crops).double(), dim=1).numpy(force=True)
    return norms


def template_sums(
    embedder: CropEmbedder,
    files: IjbFiles,
    weights: NDArray[np.float64],
    *,
    key: str,
    images: str,
    cache: Path,
    batch_size: int,
) -> NDArray[np.float32]:
    """The weighted sum of the vectors of each template's images, `float32 [T, d]`, templates ascending.

    Args:
        embedder: of the crops.
        files: whose images they are.
        weights: `float64 [N]`.
        key: of the embedder, for the cache.
        images: tells these images from others, for the cache.
        cache: folder of embeddings.
        batch_size: crops on the device at once.
    """
    numbers, template = np.unique(files.templates, return_inverse=True)
    sums = np.zeros((len(numbers), embedder.embedding_dim))
    for start in range(0, len(weights), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(weights)))
        name = embeddings_key(key, f"{files.name} {images}", rows)
        vectors = embed_rows(embedder, files.images, rows, cache=cache, key=name, batch_size=batch_size)
        if not np.isfinite(vectors).all():
            raise ModelError(f"{key}: embeddings are not finite; train it again or check its contract")
        np.add.at(sums, template[rows], vectors * weights[rows, None])
    if len(empty := np.flatnonzero(np.linalg.norm(sums, axis=1) == 0)):
        raise DataError(f"{files.name}: template {numbers[empty[0]]} has no direction: its images weigh nothing")
    return sums.astype(np.float32)


def verification(
    vectors: NDArray[np.float32], pairs: NDArray[np.int64], same: NDArray[np.bool_], fars: Sequence[float] = FARS
) -> dict[str, float | None]:
    """TAR at each FAR, at the lowest threshold that at most this share of the impostor pairs reaches.

    Args:
        vectors: unit `float32 [T, d]`.
        pairs: `int64 [P, 2]`, rows of them.
        same: `bool [P]`.
        fars: None is given for one that the number of impostor pairs can't tell.
    """
    similarity = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS):
        left, right = (vectors[column] for column in pairs[start : start + _PAIRS].T)
        similarity[start : start + _PAIRS] = np.einsum("pd,pd->p", left, right)
    impostor, genuine = np.sort(similarity[~same])[::-1], np.sort(similarity[same])
    rates: dict[str, float | None] = {}
    for far in fars:
        accepted = int(far * len(impostor) + 1e-9)  # impostors that may be
        rates[f"TAR@FAR={far:g}"] = None
        if accepted >= 1:
            above = genuine > impostor[accepted] if accepted < len(impostor) else np.ones(len(genuine), bool)
            rates[f"TAR@FAR={far:g}"] = float(above.mean())
    return rates


def identification(
    vectors: NDArray[np.float32],
    numbers: NDArray[np.int64],
    galleries: Sequence[Templates],
    probes: Templates,
) -> dict[str, float | None]:
    """Rank rates of mated probes, and their detection and identification rate at each FPIR; means over galleries.

    Args:
        vectors: unit `float32 [T, d]`.
        numbers: `int64 [T]`, the template of each, ascending.
        galleries: each searched by itself.
        probes: all of them; those whose subject is not in a gallery are its non-mated probes.
    """
    figures: list[Mapping[str, float]] = []
    searched = torch.from_numpy(vectors[np.searchsorted(numbers, probes.templates)])
    for gallery in galleries:
        enrolled = torch.from_numpy(vectors[np.searchsorted(numbers, gallery.templates)])
        shown = min(max(RANKS), len(enrolled))
        highest = [block.topk(shown) for block in similarity_blocks(searched, enrolled)]
        places, best = torch.cat([top.indices for top in highest]), torch.cat([top.values[:, 0] for top in highest])
        right = torch.from_numpy(gallery.subjects[places.numpy()] == probes.subjects[:, None])
        mated = torch.from_numpy(np.isin(probes.subjects, gallery.subjects))
        rows, others = mated.nonzero()[:, 0], (~mated).nonzero()[:, 0]
        nearest = Probes(rows, right[rows, 0], best[rows], others, best[others])
        points = identification_points(nearest, FPIRS) if len(others) else []
        figures.append(
            {f"rank-{rank}": float(right[rows, :rank].any(dim=1).double().mean()) for rank in RANKS}
            | {f"DIR@FPIR={point.target_fpir:g}": point.dir for point in points}
        )
    return {name: float(np.mean([each[name] for each in figures])) for name in figures[0]}
