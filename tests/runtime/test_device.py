import pytest
import torch

from facerec.errors import ConfigError
from facerec.runtime.device import find_device, find_gpu


def test_auto_is_a_gpu_where_there_is_one() -> None:
    there = torch.cuda.is_available()
    assert find_device("auto").type == ("cuda" if there else "cpu")
    assert find_gpu("auto") == ("cuda" if there else None)


def test_a_device_that_is_not_there_is_refused_by_key() -> None:
    assert find_device("cpu").type == "cpu"
    assert find_gpu("cpu") is None
    for name in ("cuda:99", "gpu7"):
        with pytest.raises(ConfigError, match=f"detector.device: '{name}' is not a device of this machine"):
            find_device(name, "detector.device")
        assert find_gpu(name) is None
