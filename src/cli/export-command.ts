import { inputName } from '../ir/graph.js';
import { showType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { type Command, conversionOptions, json, wantsJson } from './command.js';
import { common, imports, target, text, whole } from './options.js';
import { clean, table } from './terminal.js';

export const exportCommand: Command = {
  usage: 'export <model>',
  describe: 'write a model as an ONNX file, without Python',
  positional: { name: 'model', describe: 'a PyTorch export or an ONNX model' },
  options: {
    output: { type: 'string', requiresArg: true, alias: 'o', describe: 'file to write' },
    opset: {
      type: 'string',
      requiresArg: true,
      describe: 'operator set, from 17 to 26',
      defaultDescription: '21, or what the operators need',
    },
    'external-data': {
      type: 'boolean',
      describe: 'put the weights into a file beside the model',
      defaultDescription: 'when they do not fit into one file',
    },
    shapes: target.shapes!,
    dim: target.dim!,
    ...imports,
    ...common,
  },
  examples: [
    ['$0 export model.pt2 -o model.onnx', 'an ONNX file of a PyTorch export'],
    ['$0 export model.pt2 -o model.onnx --opset 17', 'one that older runtimes read'],
  ],
  async run(given, io) {
    const output = text(given, 'output');
    if (output === undefined)
      throw new CompileError('bad-option', 'no file to write was given', 'name one with -o model.onnx');
    const options = conversionOptions(given, io);
    const { exportModel } = await import('../export-model.js');
    const made = await exportModel(text(given, 'model')!, output, {
      ...options,
      opset: whole(given, 'opset', 1),
      externalData: given['external-data'] as boolean | undefined,
    });
    const inputs = made.graph.inputs.map((v) => ({ name: inputName(v), type: showType(v.type) }));
    const outputs = made.graph.outputs.map((v, i) => ({
      name: made.graph.outputNames[i]!,
      type: showType(v.type),
    }));
    const { bytes, data, opset, warnings } = made;
    if (wantsJson(given)) {
      io.print(json({ file: output, bytes, data, opset, inputs, outputs, warnings }));
      return 0;
    }
    const rows = [
      ...warnings.map((w) => ['warning', clean(w)]),
      ...inputs.map((p) => ['input', `${clean(p.name)} ${p.type}`]),
      ...outputs.map((p) => ['output', `${clean(p.name)} ${p.type}`]),
      ['written', `${clean(output)}, ${bytes} bytes, opset ${opset}`],
      ...(data ? [['weights', `${clean(data.file)}, ${data.bytes} bytes`]] : []),
    ];
    io.print(
      table(
        'll',
        rows.map(([what, value]) => [io.style.dim(what!), value!]),
      ),
    );
    return 0;
  },
};
