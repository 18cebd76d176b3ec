#!/bin/bash
# Runs a zoo as a Slurm array job, then a job that joins the reports, and waits for that:
#
#   docs/ci/slurm/submit.sh MODELS OUT [SHARDS]
#
# MODELS, OUT and the cache of onnx2plan lie on a file system that all nodes share, and onnx2plan is on their PATH.
# The exit code is that of `onnx2plan report merge`.
set -euo pipefail

models=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
shards=${3:-4}
here=$(dirname "$(realpath "$0")")

cd "$out"
rm -rf parts
# Fetched once here, not by every shard at the same moment.
onnx2plan setup
array=$(sbatch --parsable --array="1-$shards" "$here/zoo.sbatch" "$models" "$out")
# A shard whose models fail ends with an error and yet has its report, so the merge runs whatever the shards ended with.
code=0
sbatch --wait --dependency="afterany:$array" "$here/merge.sbatch" "$out" || code=$?
cat merge.log
exit $code
