"""Embedding crops with an ensemble of three beside eager float32: bf16 autocast, and compiled.

python benchmarks/embedding.py crops=64 stem=imagenet rounds=3 compile=True
"""

import torch
from side_by_side import options, record, seconds
from torch.nn.functional import cosine_similarity

from facerec.backbones import ResNet
from facerec.embedder import Embedder
from facerec.ensemble import Ensemble


def main() -> None:
    """Print crops/s and cosines to eager float32."""
    given = options(crops=64, stem="imagenet", rounds=3, compile="True")
    torch.manual_seed(0)
    members = {f"{d}": Embedder(ResNet(d, stem=given["stem"]), [128.0] * 3, [64.0] * 3) for d in (18, 34, 50)}
    model = Ensemble(members, [1 / 3] * 3).eval()
    small = torch.rand(given["crops"], 3, 14, 14) * 255
    crops = torch.nn.functional.interpolate(small, (112, 112), mode="bilinear").to(torch.uint8)
    with torch.no_grad():  # batch statistics as after a training
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.train()(crops)
        model.eval()
    results: dict[str, torch.Tensor] = {}
    last = model.state_dict()

    def run(name: str, net: torch.nn.Module, reduced: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            results[name] = net(crops).float()

    fast = Ensemble(
        {f"{d}": Embedder(ResNet(d, stem=given["stem"]), [1.0] * 3, [1.0] * 3) for d in (18, 34, 50)}, [1 / 3] * 3
    )
    fast.load_state_dict(last)
    fast = fast.eval().to(memory_format=torch.channels_last)
    contenders = {
        "eager float32": lambda: run("eager float32", model, False),
        "channels last": lambda: run("channels last", fast, False),
        "bf16": lambda: run("bf16", fast, True),
    }
    if given["compile"] == "True":
        compiled = torch.compile(fast)
        contenders["bf16 compiled"] = lambda: run("bf16 compiled", compiled, True)
    found = seconds(contenders, given["rounds"])
    figures: dict[str, float] = {}
    for name, value in found.items():
        figures[f"{name}, crops/s"] = given["crops"] / value
        figures[f"{name} x"] = found["eager float32"] / value
        figures[f"{name}, lowest cosine"] = float(cosine_similarity(results[name], results["eager float32"]).min())
    record(f"embedding, ensemble of three, {given['stem']} stem", figures, "2 x, cosine 0.999")


if __name__ == "__main__":
    main()
