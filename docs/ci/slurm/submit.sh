#!/bin/bash
# Runs a zoo as a Slurm array job and then a job that joins the reports. Waits for both:
#
#   docs/ci/slurm/submit.sh MODELS OUT [SHARDS]
#
# All nodes must share the file system of MODELS, OUT and the cache of onnx2plan, and have onnx2plan
# on their PATH. The exit code is that of `onnx2plan report merge`.
set -euo pipefail

models=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
shards=${3:-4}
here=$(dirname "$(realpath "$0")")

cd "$out"
rm -rf parts
# Fetch TensorRT-RTX once here, instead of in every shard at the same time.
onnx2plan setup
array=$(sbatch --parsable --array="1-$shards" "$here/zoo.sbatch" "$models" "$out")
# A shard whose models fail ends with an error but still writes its report, so the merge runs
# however the shards end.
code=0
sbatch --wait --dependency="afterany:$array" "$here/merge.sbatch" "$out" || code=$?
cat merge.log
exit $code
