import { convert, InferenceSession, Tensor } from 'ait-convert';

await convert('model.onnx', { output: 'engine', force: true });

const session = await InferenceSession.create('engine');
const [input] = session.inputMetadata;
const shape = input.shape.map((extent) => (typeof extent === 'number' ? extent : 2));
const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5);
const outputs = await session.run({ [input.name]: new Tensor('float32', data, shape) });

for (const name of session.outputNames) console.log(name, outputs[name].dims);
await session.dispose();
