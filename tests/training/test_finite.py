"""A loss that is not finite ends the training, a little later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from facerec.data import Batch, FaceImages
from facerec.errors import NonFiniteLossError
from facerec.training.finite import FiniteLosses

FILES = [Path(f"{letter}.jpg") for letter in "abcdefgh"]
IMAGES = FaceImages("toy", FILES, np.array(list("aabbccdd")), np.array(["train"] * 4 + ["val"] * 4))


def _batch(rows: list[int]) -> Batch:
    crops = torch.zeros(len(rows), 3, 112, 112, dtype=torch.uint8)
    return Batch(crops, torch.zeros(len(rows), dtype=torch.int64), torch.tensor(rows))


class Watched(Tensor):
    """Remembers when it was read."""

    reads: list[int]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.item, Tensor.__bool__, Tensor.__float__, Tensor.tolist):
            cls.reads.append(int(super().__torch_function__(func, types, args, kwargs)))
        return super().__torch_function__(func, types, args, kwargs or {})


@given(st.lists(st.sampled_from([1.0, 0.0, -2.5, float("nan"), float("inf")]), max_size=9))
def test_the_first_bad_step_is_named(losses: list[float]) -> None:
    known: list[tuple[int, int, float]] = []
    watch = FiniteLosses(IMAGES, lambda *of: known.append(of))
    bad = next((k for k, loss in enumerate(losses) if not np.isfinite(loss)), None)

    def train() -> None:
        for k, loss in enumerate(losses):
            watch.watch(torch.tensor(loss), _batch([k % 6, 5, 0]), 3, k, 100 + k)
        watch.check()

    if bad is None:
        train()
        assert known == [(100 + k, 3, loss) for k, loss in enumerate(losses)]
        return
    named = rf"the loss became {losses[bad]} in epoch 3, batch {bad} \(images {FILES[bad % 6]}, f.jpg, …\)"
    with pytest.raises(NonFiniteLossError, match=named):
        train()
    assert known == [(100 + k, 3, loss) for k, loss in enumerate(losses[:bad])]
    watch.check()  # a training that follows is another


def test_no_step_reads_its_own_loss() -> None:
    watch, Watched.reads = FiniteLosses(IMAGES, lambda *_: None), []
    for k in range(6):
        watch.watch(torch.tensor(float(k)).as_subclass(Watched), _batch([0]), 0, k, k)
        assert Watched.reads == list(range(max(0, k - 1)))
    watch.check()
    assert Watched.reads == list(range(6))


def test_a_training_that_fails_leaves_no_checkpoint_of_it(
    run: Callable[..., int], in_folder: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wild = ["optimizer=sgd", "optimizer.lr=1e30", "trainer.gradient_clip_val=null", "scheduler=constant"]
    given = [*small, *wild, "trainer.max_epochs=1", "logger=csv", "hydra.run.dir=wild"]
    assert run("train", *given) == 1
    assert "the loss became nan in epoch 0, batch 1 (images " in capsys.readouterr().out
    assert not list(Path("wild").glob("**/*.ckpt"))
