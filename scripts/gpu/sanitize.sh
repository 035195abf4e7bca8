#!/bin/sh
# Suite cases of every kernel family under compute-sanitizer: out-of-bounds accesses (memcheck), then races in
# shared memory (racecheck). Needs a GPU and the CUDA toolkit; ends with the number of errors and with status 1 if
# there is one.
#
# usage: scripts/gpu/sanitize.sh [REGEX of case names]
cd "$(dirname "$0")/../.." || exit 2
cases=${1:-'^test_(matmul_[234]d|gemm_(all|default)|basic_conv|conv_with_strides|convtranspose_[123]d|attention_(3d|4d)(_causal)?$|attention_4d_attn_mask|layer_normalization_[234]d|group_normalization|instancenorm|rms_norm|softmax_axis|logsoftmax|transpose_all|reduce_(sum|max|log_sum_exp|l2)_keepdims|argmax_keepdims|maxpool_2d|averagepool_2d|resize_(up|down)sample_(scales|sizes)_(linear|cubic|nearest)|gather|scatter|top_k|cumsum|concat_2d|pad|slice|tile|where|gelu|softplus|onehot|trilu|lstm|gru|matmulinteger|convinteger|quantizelinear|dequantizelinear|nonzero|compress|unique|nonmaxsuppression|if$|gridsample|roialign|einsum|dft)'}
status=0
for tool in memcheck racecheck; do
  log=$(mktemp)
  compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 9 \
    npx tsx scripts/gpu/suite.ts --only "$cases" --precision fp16 --jobs "${JOBS:-8}" --out "$(dirname "$log")" >"$log" 2>&1
  summaries=$(grep -cE 'ERROR SUMMARY|RACECHECK SUMMARY' "$log")
  bad=$(grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$log" | grep -vcE 'SUMMARY: 0 ')
  echo "$tool: $summaries processes, $bad of them with errors; $(grep '| fp16' "$log" | tail -1)"
  if [ "$bad" -ne 0 ] || [ "$summaries" -eq 0 ]; then
    grep -vE '^(npm|$)' "$log" | head -60
    status=1
  fi
done
exit $status
