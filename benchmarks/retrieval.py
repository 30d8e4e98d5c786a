"""MAP@R, P@1 and R-precision beside pytorch-metric-learning's calculator with faiss.

python benchmarks/retrieval.py samples=20000 dim=128 rounds=1 device=cpu peer=True
"""

from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage

import torch
from results import Figure, record
from timing import options, seconds

from facerec.metrics import retrieval_metrics

PEER = "pytorch-metric-learning + faiss"


def peer(vectors: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """The same three metrics."""
    import faiss
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import FaissKNN

    faiss.omp_set_num_threads(torch.get_num_threads())
    names = ("mean_average_precision_at_r", "precision_at_1", "r_precision")
    calculator = AccuracyCalculator(
        include=names,
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=FaissKNN(index_init_fn=faiss.IndexFlatIP),
    )
    accuracy = calculator.get_accuracy(vectors, labels)
    return [accuracy[name] for name in names]


def peak(device: str) -> float:
    """Most memory that the process has taken, in MiB; of a GPU's, where it is on one."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print seconds, and whether the values agree."""
    given = options(samples=20_000, dim=128, per_identity=20, rounds=1, device="cpu", peer="True")
    torch.manual_seed(0)
    labels = torch.arange(given["samples"]) // given["per_identity"]
    centres = torch.randn(int(labels.max()) + 1, given["dim"])
    vectors = torch.nn.functional.normalize(centres[labels] + 1.5 * torch.randn(given["samples"], given["dim"]))
    there = vectors.to(given["device"]), labels.to(given["device"])  # where a validation has them
    results: dict[str, list[float]] = {}

    def ours() -> None:
        results["facerec"] = list(retrieval_metrics(*there))

    contenders: dict[str, Callable[[], object]] = {"facerec": ours}
    if given["peer"] == "True":
        contenders[PEER] = lambda: results.update({PEER: peer(vectors, labels)})
    before = peak(given["device"])
    ours()
    growth = peak(given["device"]) - before
    timings = seconds(contenders, given["rounds"], warm=given["samples"] < 50_000)
    title = f"MAP@R + P@1 + R-precision, {given['samples']} x {given['dim']}, {given['device']}"
    asked_of_gpus = 5.0 if (given["samples"], given["dim"], given["device"]) == (1_000_000, 384, "cuda") else None
    time = timings.pop("facerec")
    figures = [
        Figure(title, "s", time, timings, {PEER: 3}, limit=asked_of_gpus, less=True),
        Figure(f"{title}: peak beside the embeddings", "MiB", growth, limit=1024, less=True),
    ]
    if PEER in results:
        greatest = max(abs(ours - theirs) for ours, theirs in zip(results["facerec"], results[PEER], strict=True))
        figures.append(Figure(f"{title}: greatest difference", "", greatest, limit=1e-6, less=True))
    record(figures, given["device"])


if __name__ == "__main__":
    main()
