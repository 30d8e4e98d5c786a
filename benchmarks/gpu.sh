#!/bin/sh
# The GPU table, in under six minutes: sh benchmarks/gpu.sh [PYTHON], from the root. PYTHON has what facerec's training
# needs, pytorch-metric-learning, pytest and hypothesis. What only a GPU can show is tested first: that a step never
# waits for it, that batches are the same wherever crops lie, and that half precision changes no value of retrieval.
# Figures go to benchmarks/results and benchmarks/README.md. A part that fails does not keep the others from running.
python=${1:-python}
failed=0
$python -m pytest -q -p no:cacheprovider tests/training/test_synchronisation.py tests/data/test_ahead.py \
	tests/data/test_datamodule.py tests/metrics/test_retrieval.py -k "gpu or pinned or device or half" || failed=1
$python benchmarks/retrieval.py samples=1000000 dim=384 device=cuda peer=False || failed=1
for given in "stem=imagenet" "stem=imagenet device_cache=False" "stem=imagenet compile=True" "depth=50 stem=face"; do
	# shellcheck disable=SC2086
	$python benchmarks/training.py $given batch=128 steps=60 rounds=3 device=gpu || failed=1
done
$python benchmarks/table.py
exit $failed
