import subprocess
import sys

import pytest

STEPS = """
import resource, torch
from facerec.backbones import ResNet
from facerec.runtime.allocator import keep_freed_memory

keep_freed_memory()
net, crops = ResNet(50, stem="imagenet"), torch.zeros(24, 3, 112, 112)
for _ in range(6):
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    net(crops).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what glibc does")
def test_a_step_is_given_no_new_pages_once_others_went_before() -> None:
    told = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True).stdout
    assert int(told) < 10_000  # without `keep_freed_memory` tens of thousands
