#!/bin/sh
# The GPU table, in under six minutes: sh benchmarks/gpu.sh [PYTHON], from the root. PYTHON has what facerec's training
# needs, and pytorch-metric-learning. Figures go to benchmarks/results and benchmarks/README.md.
set -e
python=${1:-python}
for given in "depth=18 stem=imagenet" "depth=18 stem=imagenet compile=True" "depth=50 stem=face"; do
	# shellcheck disable=SC2086
	$python benchmarks/training.py $given batch=128 steps=60 rounds=3 device=gpu
done
$python benchmarks/retrieval.py samples=1000000 dim=384 device=cuda peer=False
$python benchmarks/table.py
