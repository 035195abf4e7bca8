/**
 * Files that are often handed over in place of an ONNX model, told by how they begin. Flatbuffers open with a small
 * offset, whose zero bytes tell them from a model whose producer happens to have such a name.
 */

export interface OtherFormat {
  readonly what: string;
  readonly hint: string;
}

const ONNX_EXPORT = 'export the model to ONNX first';

const MAGICS: readonly (OtherFormat & { readonly magic: string; readonly at?: number })[] = [
  {
    magic: 'PK\x03\x04',
    what: 'a zip archive',
    hint: 'unpack it if the model is inside; a PyTorch export keeps its name ending in .pt2',
  },
  { magic: '\x1f\x8b', what: 'a gzip archive', hint: 'unpack it first' },
  {
    magic: 'version https://git-lfs.github.com/spec',
    what: 'a git-lfs pointer, a text that stands for a file kept elsewhere',
    hint: 'run "git lfs pull" in the repository it comes from, or download the file itself',
  },
  { magic: '\0\0TFL3', at: 2, what: 'a TensorFlow Lite model', hint: ONNX_EXPORT },
  {
    magic: '\0\0ORTM',
    at: 2,
    what: 'a model in the ORT format',
    hint: 'use the .onnx file it was made from',
  },
  { magic: 'GGUF', what: 'a GGUF file of weights', hint: ONNX_EXPORT },
  { magic: '\x89HDF\r\n', what: 'an HDF5 file, such as Keras writes', hint: ONNX_EXPORT },
  { magic: '\x80\x02', what: 'a Python pickle, such as torch.save writes', hint: ONNX_EXPORT },
  { magic: 'ftrt', what: 'a TensorRT engine', hint: 'use the .onnx file it was made from' },
];

export function recognize(bytes: Uint8Array): OtherFormat | undefined {
  if (bytes.length === 0) return { what: 'an empty file', hint: 'the download or export did not finish' };
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 512)).toString('latin1');
  const known = MAGICS.find(({ magic, at = 0 }) => head.startsWith(magic, at));
  if (known !== undefined) return { what: known.what, hint: known.hint };
  if (isSafetensors(bytes, head)) {
    return { what: 'a safetensors file, which holds weights without the operators', hint: ONNX_EXPORT };
  }
  // None of the characters matched here can begin a ModelProto.
  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^<(!doctype|!--|html|head|body|\?xml|error)/i.test(text)) {
    return {
      what: 'a web page',
      hint: 'the address led to a page about the file or to an error; download the file itself',
    };
  }
  if (/^[{[]/.test(text))
    return {
      what: 'a JSON text',
      hint: 'an FX graph keeps its name ending in .json; otherwise name the .onnx file',
    };
  return undefined;
}

/** Eight bytes of header length, then a JSON object of that length. */
function isSafetensors(bytes: Uint8Array, head: string): boolean {
  if (bytes.length < 10 || head[8] !== '{') return false;
  const length = Number(Buffer.from(bytes.buffer, bytes.byteOffset, 8).readBigUInt64LE());
  return length <= bytes.length - 8 && /^\{\s*("|\})/.test(head.slice(8));
}
