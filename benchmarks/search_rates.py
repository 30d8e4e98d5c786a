"""How often a search names a stranger, beside what was asked, by samples a person and persons enrolled.

    python benchmarks/search_rates.py DATA sface mobilefacenet

DATA holds `celeba`, `celeba_small` and `lfw_view1`. Thresholds and the sample exponent are found on one half of the
identities and checked on the other, both ways round. Vectors are kept in outputs/bench. `--store` writes what is found
on all of them into the statistics that the package brings for a model.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import hypergeom

from facerec.crops import list_photos
from facerec.data import dataset_crops
from facerec.data.splits import choose_identities
from facerec.evaluation import embed_all
from facerec.gallery.decision import comparisons, decide
from facerec.job import CONFIG_DIR
from facerec.metrics import operating_points, pair_histograms, sample_exponent, verification_intervals
from facerec.metrics.similarity import similarity_blocks
from facerec.models import Statistics, Threshold, open_model
from facerec.models.catalogue import entry
from facerec.recognition import embed_files

FARS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
KEPT, CACHE = Path("outputs/bench"), Path("outputs/cache")
DOUBLED = "[7218,7261,7355,7398]"  # of CelebA's identities: they are in LFW, too
RESAMPLES = 200


class People(NamedTuple):
    """Unit vectors `float32 [N, d]` and whose they are, `str [N]`."""

    vectors: NDArray[np.float32]
    names: NDArray[np.str_]


def embed_people(data: Path, name: str) -> People:
    """The faces of CelebA and LFW; in a photo of LFW, the one next to the middle."""
    kept = KEPT / f"search_rates-{name}.npz"
    if kept.exists():
        return People(*np.load(kept).values())
    roots = f"[{data / 'celeba'},{data / 'celeba_small'}]"
    with initialize_config_dir(str(CONFIG_DIR), version_base=None):
        overrides = ["dataset=celeba", f"dataset.root={roots}", f"dataset.exclude={DOUBLED}"]
        cfg = compose("evaluate", overrides)
    images = instantiate(cfg.dataset, _convert_="all", _recursive_=False)
    model = open_model(name, "cpu", "outputs/cache")
    crops = dataset_crops(images, CACHE, cfg.data.decode_workers, cache=cfg.data.cache)
    vectors, names = [embed_all(model, images, crops, cache=CACHE, batch_size=64)], [images.identities.astype(str)]
    files = list_photos(data / "lfw_view1" / "images")
    for photo in embed_files(
        files, instantiate(cfg.detector), model.embed, min_size=20, min_score=0.8, batch_size=8
    ):
        if photo.faces:
            middle = np.array(photo.photo.shape[1::-1]) / 2
            row = np.argmin([np.abs(face.box.reshape(2, 2).mean(0) - middle).sum() for face in photo.faces])
            vectors.append(photo.vectors[row : row + 1])
            names.append(np.array([photo.file.parent.name]))
    people = People(np.concatenate(vectors), np.concatenate(names))
    KEPT.mkdir(parents=True, exist_ok=True)
    np.savez(kept, *people)
    return people


def without_doubles(people: People) -> People:
    """Leave out one of two identities who have images as alike as half of the pairs of one person are."""
    names, labels = np.unique(people.names, return_inverse=True)
    vectors = torch.from_numpy(people.vectors)
    genuine = [
        (rows @ rows.T)[np.triu_indices(len(rows), 1)]
        for label in np.flatnonzero(np.bincount(labels) > 1)
        if len(rows := people.vectors[labels == label])
    ]
    level, start, doubles = float(np.median(np.concatenate(genuine))), 0, set()
    for block in similarity_blocks(vectors, vectors):
        left, right = (block >= level).nonzero().T.numpy()
        left = labels[left + start]
        doubles |= {max(pair) for pair in zip(left, labels[right], strict=True) if pair[0] != pair[1]}
        start += len(block)
    keep = ~np.isin(labels, list(doubles))
    print(f"{len(keep)} faces of {len(names)} identities; {len(doubles)} left out as doubles (similarity {level:.3f})")
    return People(people.vectors[keep], people.names[keep])


def halve(people: People) -> list[People]:
    """Each identity is in one of the two."""
    identities = np.unique(people.names)
    first = np.isin(people.names, choose_identities(identities, len(identities) // 2))
    return [People(people.vectors[rows], people.names[rows]) for rows in (first, ~first)]


def measure(people: People) -> Statistics:
    """Thresholds and exponent, as evaluation finds them."""
    vectors, labels = torch.from_numpy(people.vectors), torch.from_numpy(np.unique(people.names, return_inverse=True)[1])
    points = operating_points(pair_histograms(vectors, labels), FARS)
    exponent = sample_exponent(vectors, labels, points[FARS.index(1e-4)].threshold)
    thresholds = tuple(Threshold(point.target_far, point.threshold) for point in points)
    return Statistics(thresholds=thresholds, sample_exponent=exponent)


def store(people: People, name: str) -> None:
    """Write thresholds with intervals and the exponent; the calibration stays."""
    vectors, labels = torch.from_numpy(people.vectors), torch.from_numpy(np.unique(people.names, return_inverse=True)[1])
    intervals = verification_intervals(pair_histograms(vectors, labels), FARS, resamples=500).threshold
    file = Path(entry.__file__).parent / "entries" / f"{name}.statistics.json"
    values = json.loads(file.read_text())
    values["thresholds"] = [
        {"far": far, "threshold": limits.value, "low": limits.low, "high": limits.high}
        for far, limits in zip(FARS, intervals, strict=True)
    ]
    values["sample_exponent"] = measure(people).sample_exponent
    source = {"dataset": "celeba and lfw", "split": "all", "identities": len(set(people.names.tolist()))}
    values["evaluated_on"] = {**source, "data": None, "model": values["evaluated_on"]["model"]}
    file.write_text(json.dumps(values, indent=1) + "\n")


class Searches(NamedTuple):
    """One image of each identity, searched for among everybody who has enough images, themselves left out.

    Attributes:
        similarity: `float32 [identities, persons]`, to a person's nearest sample; -1 where it is themselves.
        enrolled: `int64 [persons]`, which of the identities they are.
        sizes: `int64 [persons]`, how many samples each has.
    """

    similarity: NDArray[np.float32]
    enrolled: NDArray[np.int64]
    sizes: NDArray[np.int64]


def search(people: People, samples: int | None, seed: int) -> Searches:
    """`samples` of each person, drawn; None: all they have, at most 30."""
    random = np.random.default_rng(seed)
    _, labels = np.unique(people.names, return_inverse=True)
    order = random.permutation(len(labels))
    rows = np.split(order[np.argsort(labels[order], kind="stable")], np.cumsum(np.bincount(labels))[:-1])
    probes = people.vectors[[mine[0] for mine in rows]]
    enrolled = np.array([label for label, mine in enumerate(rows) if len(mine) >= (samples or 1)])
    chosen = [rows[label][: samples or 30] for label in enrolled]
    ends = np.cumsum([len(mine) for mine in chosen])
    similarity = np.maximum.reduceat(probes @ people.vectors[np.concatenate(chosen)].T, np.r_[0, ends[:-1]], axis=1)
    similarity[enrolled, np.arange(len(enrolled))] = -1
    return Searches(similarity, enrolled, np.diff(np.r_[0, ends]))


def rates(searches: Searches, threshold: float, persons: int, seed: int) -> NDArray[np.float64]:
    """How often a stranger is named in a gallery of `persons`; first, then resampled over identities.

    Of all galleries that can be drawn of the people: where h of P persons reach the threshold, one of N drawn does
    with the probability of the hypergeometric distribution.
    """
    identities = len(searches.similarity)
    drawn = np.random.default_rng(seed).multinomial(identities, np.full(identities, 1 / identities), RESAMPLES)
    weights = np.vstack([np.ones(identities), drawn])  # [resamples + 1, identities]
    of_persons = weights[:, searches.enrolled]
    hits = csr_array(searches.similarity >= threshold) @ of_persons.T  # [identities, resamples + 1]
    pool = of_persons.sum(1)
    both = np.stack([np.broadcast_to(pool, hits.shape), hits]).astype(int).reshape(2, -1)
    kinds, places = np.unique(both, axis=1, return_inverse=True)
    named = hypergeom.sf(0, kinds[0], kinds[1], np.minimum(persons, kinds[0]))[places].reshape(hits.shape)
    return (named * weights.T).sum(0) / weights.sum(1)


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--far", type=float, default=0.01, help="of a search")
    parser.add_argument("--store", action="store_true", help="in this checkout")
    options = parser.parse_args()
    for name in options.models:
        people = without_doubles(embed_people(options.data, name))
        if options.store:
            store(people, name)
            continue
        halves = halve(people)
        found = [measure(half) for half in halves]
        for statistics in found:
            print(name, [f"{point.threshold:.3f}" for point in statistics.thresholds], statistics.sample_exponent)
        print("| samples | of people | persons | asked | held (95 %) | if persons are counted | if samples are |")
        print("| ---: | ---: | ---: | ---: | --- | ---: | ---: |")
        for samples in (1, 3, 10, 30, None):
            checked = [search(half, samples, 0) for half in reversed(halves)]
            for persons in (10, 100, 1000, 3000):
                if persons > min(len(searches.sizes) for searches in checked):
                    continue
                by_rule = []
                for statistics, searches in zip(found, checked, strict=True):
                    counts = dict(zip(*np.unique(searches.sizes, return_counts=True), strict=True))
                    share = persons / len(searches.sizes)
                    worths = (
                        comparisons(statistics, counts) * share, persons, float(searches.sizes.sum()) * share
                    )
                    rules = [decide(statistics, persons, comparisons=worth, far=options.far) for worth in worths]
                    by_rule.append([rates(searches, rule.threshold, persons, 0) for rule in rules])
                held = np.mean(by_rule, axis=0)  # [rules, resamples + 1]
                low, high = np.quantile(held[0, 1:] - held[0, 1:].mean() + held[0, 0], (0.025, 0.975))
                print(
                    f"| {samples or '1 to 30'} | {sum(len(searches.sizes) for searches in checked)} | {persons} "
                    f"| {options.far} | {held[0, 0]:.4f} ({max(low, 0):.4f}–{high:.4f}) | {held[1, 0]:.4f} | {held[2, 0]:.4f} |"
                )


if __name__ == "__main__":
    main()
