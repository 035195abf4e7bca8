import { isArray, isObject, type Json, parseJson } from '../pt2/json.js';
import { type Fields, fieldsOf } from './schema.js';

/**
 * Names of a program's results, by the structure that the module returned: `logits`, `kv.0.1`; a single tensor is
 * `output`, the members of a tuple are `output_0`, `output_1`, ….
 */
export function outputNames(callGraph: Json | undefined, count: number): readonly string[] {
  const names = structured(callGraph);
  const usable =
    names?.length === count
      ? names
      : Array.from({ length: count }, (_, i) => (count === 1 ? 'output' : `output_${i}`));
  const taken = new Set<string>();
  return usable.map((n) => {
    let name = n;
    for (let i = 2; taken.has(name); i++) name = `${n}_${i}`;
    taken.add(name);
    return name;
  });
}

function structured(callGraph: Json | undefined): readonly string[] | undefined {
  const [first] = isArray(callGraph) ? callGraph : [];
  const signature = isObject(first) ? first.signature : undefined;
  const spec = isObject(signature) ? signature.out_spec : undefined;
  if (typeof spec !== 'string') return undefined;
  const parsed = parseJson(spec, 'the structure of the results');
  return isArray(parsed) && parsed.length === 2
    ? leaves(fieldsOf(parsed[1], 'the structure of the results'), '')
    : undefined;
}

function leaves(spec: Fields, path: string): readonly string[] {
  const children = isArray(spec.children_spec) ? spec.children_spec : [];
  if (spec.type === null || spec.type === undefined) return [path === '' ? 'output' : path];
  const keys = keysOf(spec, children.length);
  return children.flatMap((child, i) => {
    const key = keys[i] ?? (path === '' ? `output_${i}` : String(i));
    return leaves(isObject(child) ? child : {}, path === '' ? key : `${path}.${key}`);
  });
}

/** The keys of a dict, or the fields of a dataclass or a named tuple where the file tells them. */
function keysOf(spec: Fields, count: number): readonly (string | undefined)[] {
  const context = spec.context;
  if (typeof context !== 'string') return [];
  const parsed = parseJson(context, 'the structure of the results');
  const flat = isArray(parsed) ? (isArray(parsed[0]) && parsed[0].length === count ? parsed[0] : parsed) : [];
  return flat.length === count && flat.every((k) => typeof k === 'string' || typeof k === 'number')
    ? flat.map(String)
    : [];
}
