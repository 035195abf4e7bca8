#!/bin/sh
# Suite cases of every kernel family under compute-sanitizer: out-of-bounds accesses (memcheck), then races in
# shared memory (racecheck). Cases are built first, on any machine, so that only what runs on the GPU is watched; the
# second part needs the GPU and the CUDA toolkit, and ends with the number of errors and with status 1 if there is one.
#
# usage: scripts/gpu/sanitize.sh --build DIR [REGEX of case names]    (ARCH: default sm_90a)
#        scripts/gpu/sanitize.sh --run DIR                            (JOBS: default 8)
usage() {
  sed -n 's/^# usage: //p; s/^#        //p' "$0" >&2
  exit 2
}
[ $# -ge 2 ] || usage
case $2 in /*) folder=$2 ;; *) folder=$PWD/$2 ;; esac
cd "$(dirname "$0")/../.." || exit 2
suite='--import tsx scripts/gpu/suite.ts'
if [ "$1" = --build ]; then
  cases=${3:-'^test_(matmul_[234]d|gemm_(all|default)|basic_conv|conv_with_strides|convtranspose_[123]d|attention_(3d|4d)(_causal)?$|attention_4d_attn_mask|layer_normalization_[234]d|group_normalization|instancenorm|rms_norm|softmax_axis|logsoftmax|transpose_all|reduce_(sum|max|log_sum_exp|l2)_keepdims|argmax_keepdims|maxpool_2d|averagepool_2d|resize_(up|down)sample_(scales|sizes)_(linear|cubic|nearest)|gather|scatter|top_k|cumsum|concat_2d|pad|slice|tile|where|gelu|softplus|onehot|trilu|lstm|gru|matmulinteger|convinteger|quantizelinear|dequantizelinear|nonzero|compress|unique|nonmaxsuppression|if$|gridsample|roialign|einsum|dft)'}
  exec node $suite --build "$folder" --arch "${ARCH:-sm_90a}" --only "$cases" --precision fp16 --batch 12
fi
[ "$1" = --run ] || usage
status=0
for tool in memcheck racecheck; do
  logs=$(mktemp -d)
  # The processes that run cases are children of this one.
  compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 9 \
    node $suite --run "$folder" --show --jobs "${JOBS:-8}" --timeout 300 --out "$logs" >"$logs/log" 2>&1
  summaries=$(grep -cE 'ERROR SUMMARY|RACECHECK SUMMARY' "$logs/log")
  bad=$(grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$logs/log" | grep -vcE 'SUMMARY: 0 ')
  echo "$tool: $summaries processes, $bad of them with errors; $(grep '| fp16' "$logs/gpu-suite.md")"
  if [ "$bad" -ne 0 ] || [ "$summaries" -lt 2 ]; then
    grep '^=========' "$logs/log" | grep -vE 'COMPUTE-SANITIZER|SUMMARY: 0 ' | head -60
    status=1
  fi
done
exit $status
