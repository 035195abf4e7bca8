import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { expanded } from '../expand.js';
import { stft } from '../fourier.js';
import { pad } from '../pad.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { numberOf, one, scalarValue } from './operands.js';
import { permuted, rankOf, reshaped } from './shapes.js';

/** The spectra of frames that overlap, the real and the imaginary parts along a last axis. */
const shortTime: AtenConverter = (n, b) => {
  if (n.flag('return_complex', false)) return n.refuse('its result is complex: use return_complex=False');
  const given = n.tensor('self');
  const t = dtypeOf(given);
  const single = rankOf(given) === 1;
  const length = n.int('n_fft');
  const own = n.int('win_length', length);
  const [batch, samples] = single ? [1, shapeOf(given)[0]!] : [shapeOf(given)[0]!, shapeOf(given)[1]!];
  const weights = n.optional('window') ?? expanded(b, scalarValue(b, 1, t), [own]);
  const before = Math.floor((length - own) / 2);
  const window = b(pad, [castTo(b, weights, t)], {
    before: [before],
    after: [length - own - before],
    mode: 'constant',
  });
  const spectra = b(stft, [reshaped(b, given, [batch, samples, 1]), window], {
    step: n.int('hop_length', Math.floor(length / 4)),
    length,
    window: length,
    oneSided: n.flag('onesided', true),
  });
  const [, frames, bins] = shapeOf(spectra);
  const turned = permuted(b, spectra, [0, 2, 1, 3]);
  const y = single ? reshaped(b, turned, [bins!, frames!, 2]) : turned;
  if (!n.flag('normalized', false)) return y;
  return one(b, y, call('mul', arg(0), numberOf(1 / Math.sqrt(length), t)));
};

export const spectra: AtenMap = {
  stft: shortTime,
  'stft.center': (n, b) => (n.flag('center', true) ? n.refuse('with padding of its own') : shortTime(n, b)),
};
