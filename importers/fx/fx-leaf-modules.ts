import { isArray, isObject, type Json } from '../pt2/json.js';
import { type Known, parsePrinted, plain } from './fx-values.js';
import type { FxWriter } from './fx-writer.js';
import { BadProgram, type Fields } from './schema.js';

/** A module of torch.nn that a graph calls as a whole: its attributes are text, its tensors are weights. */
export function callModule(
  writer: FxWriter,
  node: Fields,
  target: string,
  args: readonly Known[],
  prefix: string,
): Known {
  const attributes = isObject(node.parameters) ? node.parameters : {};
  const type = String(attributes.name ?? '').replace(/^.*\./, '');
  const [x] = args;
  if (x === undefined) throw new BadProgram('missing-argument', `the module "${target}" is given nothing`);
  const attribute = (name: string): Json | undefined => {
    const value = attributes[name];
    return typeof value === 'string' ? parsePrinted(value) : value;
  };
  const fqn = (name: string): string => `${prefix}${target}.${name}`;
  const tensors = (...names: readonly string[]): Record<string, Known> =>
    Object.fromEntries(
      names.flatMap((n) => (writer.hasWeight(fqn(n)) ? [[n, writer.weight(fqn(n))] as const] : [])),
    );
  const plains = (...names: readonly string[]): Record<string, Known> =>
    Object.fromEntries(
      names.flatMap((n) => {
        const value = attribute(n);
        return value === undefined ? [] : [[n, plain(value)] as const];
      }),
    );
  const emit = (operator: string, more: Record<string, Known>): Known =>
    writer.emit(operator, more, node, prefix, `${prefix}${target}`);
  switch (type) {
    case 'Linear':
      return emit('linear', { input: x, weight: writer.weight(fqn('weight')), ...tensors('bias') });
    case 'Conv1d':
    case 'Conv2d':
    case 'Conv3d': {
      const mode = attribute('padding_mode');
      if (mode !== undefined && mode !== 'zeros')
        throw new BadProgram('unsupported-form', `the module "${target}" pads with "${String(mode)}"`);
      const padding = attribute('padding');
      return emit(`${type.toLowerCase()}${typeof padding === 'string' ? '.padding' : ''}`, {
        input: x,
        weight: writer.weight(fqn('weight')),
        ...tensors('bias'),
        ...plains('stride', 'padding', 'dilation', 'groups'),
      });
    }
    case 'BatchNorm1d':
    case 'BatchNorm2d':
    case 'BatchNorm3d':
      return emit('batch_norm', {
        input: x,
        ...tensors('weight', 'bias', 'running_mean', 'running_var'),
        training: plain(false),
        momentum: plain('#0.1'),
        eps: plain(attribute('eps') ?? '#0.00001'),
        cudnn_enabled: plain(false),
      });
    case 'AdaptiveAvgPool2d': {
      // Its attributes are not written; what it made of the image is.
      const size = attribute('output_size') ?? imageOf(node);
      return emit('adaptive_avg_pool2d', {
        self: x,
        output_size: plain(isArray(size) ? size : [size, size]),
      });
    }
    case 'MaxPool2d':
      return emit('max_pool2d', {
        self: x,
        ...plains('kernel_size', 'stride', 'padding', 'dilation', 'ceil_mode'),
      });
    case 'ReLU':
      return emit(attribute('inplace') === true ? 'relu_.default' : 'relu', { self: x });
    case 'Dropout':
    case 'Identity':
      return emit('alias', { self: x });
    default:
      return writer.emit(`torch.nn.${type === '' ? target : type}`, {}, node, prefix, `${prefix}${target}`);
  }
}

function imageOf({ shape }: Fields): Json {
  const all = typeof shape === 'string' ? parsePrinted(shape) : [];
  return isArray(all) ? all.slice(-2) : [];
}
