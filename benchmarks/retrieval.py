"""MAP@R, P@1 and R-precision beside pytorch-metric-learning's calculator with faiss.

python benchmarks/retrieval.py samples=20000 dim=128 rounds=1 device=cpu peer=True
"""

from resource import RUSAGE_SELF, getrusage

import faiss
import torch
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import FaissKNN
from results import Figure, record
from timing import options, seconds

from facerec.metrics import retrieval_metrics


def main() -> None:
    """Print seconds, and whether the values agree."""
    given = options(samples=20_000, dim=128, per_identity=20, rounds=1, device="cpu", peer="True")
    faiss.omp_set_num_threads(torch.get_num_threads())
    torch.manual_seed(0)
    labels = torch.arange(given["samples"]) // given["per_identity"]
    centres = torch.randn(int(labels.max()) + 1, given["dim"])
    vectors = torch.nn.functional.normalize(centres[labels] + 1.5 * torch.randn(given["samples"], given["dim"]))
    names = ("mean_average_precision_at_r", "precision_at_1", "r_precision")
    calculator = AccuracyCalculator(
        include=names,
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=FaissKNN(index_init_fn=faiss.IndexFlatIP),
    )
    results = {}

    def ours() -> None:
        there = vectors.to(given["device"])
        results["facerec"] = list(retrieval_metrics(there, labels.to(given["device"])))

    def peer() -> None:
        accuracy = calculator.get_accuracy(vectors, labels)
        results["peer"] = [accuracy[name] for name in names]

    before = getrusage(RUSAGE_SELF).ru_maxrss
    ours()
    growth = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024
    contenders = {"facerec": ours, **({"peer": peer} if given["peer"] == "True" else {})}
    timings = seconds(contenders, given["rounds"], warm=given["samples"] < 50_000)
    title = f"MAP@R + P@1 + R-precision, {given['samples']} x {given['dim']}, {given['device']}"
    name = "pytorch-metric-learning + faiss"
    peers = {name: timings["peer"]} if "peer" in timings else {}
    figures = [
        Figure(title, "s", timings["facerec"], peers, {name: 3}, less=True),
        Figure(f"{title}: peak beside the embeddings", "MiB", growth, limit=1024, less=True),
    ]
    if peers:
        pairs = zip(results["facerec"], results["peer"], strict=True)
        greatest = max(abs(ours - theirs) for ours, theirs in pairs)
        figures.append(Figure(f"{title}: greatest difference", "", greatest, limit=1e-6, less=True))
    record(figures, given["device"])


if __name__ == "__main__":
    main()
