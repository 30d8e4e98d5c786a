import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from facerec.backbones import ResNet
from facerec.errors import DataError
from facerec.models import embed_rows, embeddings_key
from facerec.models.crop_model import CropModel
from facerec.models.embedder import Embedder
from facerec.runtime.work_shard import Shard

CROPS = np.random.default_rng(0).integers(0, 256, (50, 3, 112, 112), dtype=np.uint8)
ROWS = np.random.default_rng(1).integers(0, 50, 2 * 4096 + 300)


class Corners(CropModel):
    """Embeds a few pixels, counts crops, and stops when it is told to."""

    def __init__(self, stop_after: int = 10**9) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.randn(27, 6, generator=torch.Generator().manual_seed(0)))
        self.seen, self.stop_after = 0, stop_after

    @property
    def embedding_dim(self) -> int:
        return 6

    def forward(self, crops: Tensor) -> Tensor:
        if self.seen + len(crops) > self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(crops)
        pixels = crops[:, :, ::50, ::50].flatten(1).float()
        return torch.nn.functional.normalize(pixels @ self.get_buffer("matrix"), dim=1)


def embed(cache: Path, embedder: CropModel, rows: NDArray[np.int64] = ROWS, **changes: Any) -> NDArray[np.float32]:
    options: dict[str, Any] = {"key": "k", "batch_size": 100, **changes}
    return embed_rows(embedder, CROPS, rows, cache=cache, **options)


def parts(cache: Path) -> list[Path]:
    return sorted((cache / "embeddings-k").iterdir())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that is complete."""
    embed(tmp_path / "cache", Corners())
    return tmp_path / "cache"


def test_rows_are_embedded_in_order(tmp_path: Path) -> None:
    embedder = Corners()
    found = embed(tmp_path / "cache", embedder)
    assert embedder.seen == len(ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, Corners().embed(CROPS)[ROWS], atol=1e-6, rtol=0)
    assert [path.name for path in parts(tmp_path / "cache")] == [f"00000{i}.safetensors" for i in range(3)]
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["embeddings-k"]


def test_a_resnet_from_a_memory_map(tmp_path: Path) -> None:
    np.save(tmp_path / "crops.npy", CROPS[:6])
    crops = np.load(tmp_path / "crops.npy", mmap_mode="r")
    torch.manual_seed(0)
    resnet = Embedder(ResNet(18, embedding_dim=8, stem="imagenet"), (120, 110, 100), (70, 70, 70))
    options: dict[str, Any] = {"cache": tmp_path, "key": "r", "batch_size": 2}
    first = embed_rows(resnet, crops, np.array([5, 0, 3]), **options)
    np.testing.assert_allclose(first, resnet.embed(CROPS[[5, 0, 3]]), atol=1e-5, rtol=0)
    assert np.array_equal(embed_rows(resnet, crops, np.array([5, 0, 3]), **options), first)


def test_shards_make_the_whole(tmp_path: Path) -> None:
    shares = [embed(tmp_path / "cache", Corners(), shard=Shard(index, 2)) for index in range(2)]
    assert [int(np.isnan(share).all(axis=1).sum()) for share in shares] == [4096, 4096 + 300]
    whole = embed(tmp_path / "cache", Corners(stop_after=0))
    assert np.array_equal(whole, np.where(np.isnan(shares[0]), shares[1], shares[0]))


def test_a_second_call_only_reads(cache: Path) -> None:
    embedder = Corners(stop_after=0)
    assert np.array_equal(embed(cache, embedder), embed(cache, Corners(), key="other"))
    assert embedder.seen == 0


@pytest.mark.parametrize("stop_after", [0, 50, 4096, 5000, 8400])
def test_what_was_stopped_goes_on_to_the_same_values(tmp_path: Path, stop_after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        embed(tmp_path / "stopped", Corners(stop_after))
    rest = Corners()
    resumed = embed(tmp_path / "stopped", rest)
    assert rest.seen == len(ROWS) - stop_after // 4096 * 4096
    assert np.array_equal(resumed, embed(tmp_path / "whole", Corners()))


def damages() -> dict[str, bytes]:
    zeros = torch.zeros(4096, 6)
    return {
        "empty": b"",
        "text": b"not a tensor",
        "zeros": bytes(98384),
        "values of 0": safetensors.torch.save({"embeddings": zeros}),
        "not finite": safetensors.torch.save({"embeddings": zeros / 0}),
        "too few rows": safetensors.torch.save({"embeddings": (zeros + 6**-0.5)[1:]}),
        "too wide": safetensors.torch.save({"embeddings": torch.full((4096, 9), 1 / 3)}),
        "float64": safetensors.torch.save({"embeddings": zeros.double() + 6**-0.5}),
        "another name": safetensors.torch.save({"vectors": zeros + 6**-0.5}),
    }


@pytest.mark.parametrize("damage", damages())
def test_damaged_parts_are_computed_again(cache: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    expected, path = embed(cache, Corners(0)), parts(cache)[1]
    whole = path.read_bytes()
    path.write_bytes(damages()[damage])
    embedder = Corners()
    assert np.array_equal(embed(cache, embedder), expected)
    assert embedder.seen == 4096
    assert path.read_bytes() == whole
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert str(path) in record.getMessage()


def test_a_part_cut_short_is_computed_again(cache: Path) -> None:
    expected, path = embed(cache, Corners(0)), parts(cache)[2]
    whole = path.read_bytes()
    for kept in (7, 50, len(whole) - 1):
        path.write_bytes(whole[:kept])
        assert np.array_equal(embed(cache, Corners()), expected)
        assert path.read_bytes() == whole


def test_no_rows_are_no_embeddings(tmp_path: Path) -> None:
    assert embed(tmp_path, Corners(), np.array([], dtype=np.int64)).shape == (0, 6)


def test_a_full_disk_is_said_and_leaves_no_half_part(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(
            DataError, match=r"000000\.safetensors: can't be written \(File too large\); free space"
        ):
            embed(tmp_path, Corners())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.rglob("*")] == ["embeddings-k"]


def test_wrong_crops_and_batches_are_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"cache": tmp_path, "key": "k"}
    floats: Any = CROPS.astype(np.float32)
    with pytest.raises(ValueError, match="uint8"):
        embed_rows(Corners(), floats, ROWS, batch_size=8, **options)
    for batch_size in (0, -1):
        with pytest.raises(ValueError, match="batch_size"):
            embed_rows(Corners(), CROPS, ROWS, batch_size=batch_size, **options)
    assert not any(tmp_path.iterdir())


def test_the_key_follows_model_crops_and_rows() -> None:
    key = embeddings_key("aa", "crops-1.npy", ROWS)
    assert len(key) == 16
    assert key == embeddings_key("aa", "crops-1.npy", np.repeat(ROWS, 2)[::2])
    others = {
        embeddings_key("ab", "crops-1.npy", ROWS),
        embeddings_key("aa", "crops-2.npy", ROWS),
        embeddings_key("aa", "crops-1.npy", ROWS[::-1]),
        embeddings_key("aa", "crops-1.npy", ROWS[:-1]),
    }
    assert len({key, *others}) == 5
