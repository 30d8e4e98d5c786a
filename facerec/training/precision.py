"""Which number format to train in, and on what."""

import torch


def fastest_precision(accelerator: str) -> str:
    """bf16 where the hardware multiplies it, else float32.

    A CPU without AVX512-BF16 or AMX emulates bf16: on an AVX2 machine a training step of ResNet-18 is 16
    times as slow as in float32.

    Args:
        accelerator: "cpu", "gpu", "cuda" or "auto", as Lightning's Trainer takes it.

    Returns:
        "bf16-mixed" or "32-true".
    """
    if uses_gpu(accelerator):
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator in ("auto", "cpu"):
        supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        supported = False
    return "bf16-mixed" if supported else "32-true"


def uses_gpu(accelerator: str) -> bool:
    """Whether Lightning's Trainer would take a GPU of CUDA for `accelerator`."""
    return accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
