import { expect, test } from 'vitest';
import { runCases } from '../../scripts/conformance/run-cases.js';
import { suite } from '../../scripts/suite-fetch.js';
import type { TargetOptions } from '../../src/target.js';

/** Operators that onnxruntime lacks, and those whose 16-bit forms it lacks. */
const pattern =
  /^test_(linear_attention_(delta|linear|gated|gated_delta_fp16|gqa\w*|fp16|prefill_with_past)|tensorscatter(_3d|_circular)?|reversesequence_(batch|time)|ai_onnx_ml_tree_ensemble_\w+|deform_conv_with_mask_bias|gridsample_bicubic|roialign_aligned_true|einsum_batch_diagonal|det_2d|dft_axis|stft_with_window|col2im_dilations|melweightmatrix|nllloss_NCd1d2_with_weight)$/;

const targets: readonly TargetOptions[] = [
  { target: 'emulated', precision: 'f16' },
  { target: 'emulated', precision: 'bf16' },
  { target: 'emulated', arch: 'emulated64', precision: 'f32' },
];

test.each(targets)(
  'suite cases, $arch $precision',
  async (target) => {
    const cases = (await suite()).filter((c) => pattern.test(c.name));
    expect(cases.length).toBeGreaterThan(20);
    const results = await runCases(cases, { target });
    const wrong = cases.flatMap((c) => {
      const { placement, failure, left } = results.get(c)!;
      return failure || placement !== 'compiled' ? [`${c.name}: ${failure?.reason ?? left}`] : [];
    });
    expect(wrong).toEqual([]);
  },
  600_000,
);
