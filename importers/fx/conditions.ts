import { type Shape, same } from '../../src/ir/dim.js';
import { inputName, shapeOf, type Value } from '../../src/ir/graph.js';
import { isArray, type Json } from '../pt2/json.js';
import { type Guard, guardOf, placesOf } from './guards.js';
import { type Fields, fieldsOf, listOf, textOf, unionOf } from './schema.js';

/** The inputs of the graph that the leaves of the module's arguments are. */
export const argumentsOf = (signature: Fields): readonly (string | undefined)[] =>
  listOf(signature.input_specs, 'the signature')
    .map((s) => unionOf(s, 'an input'))
    .filter(([kind]) => kind === 'user_input' || kind === 'constant_input')
    .map(([kind, spec]) =>
      kind === 'user_input' ? inputNamed(fieldsOf(spec, 'an input').arg ?? null) : undefined,
    );

/** The conditions that PyTorch found, but for those that the shapes of the inputs say already. */
export function guardsIn(
  code: Json | undefined,
  signature: Fields,
  callGraph: Json | undefined,
  inputs: readonly Value[],
  warn: (message: string) => void,
): readonly Guard[] {
  if (!isArray(code)) return [];
  const users = argumentsOf(signature);
  const places = placesOf(callGraph);
  const names = new Map(
    users.flatMap((name, i) => (name === undefined || !places[i] ? [] : [[places[i], name]])),
  );
  const shapes = new Map(inputs.map((v) => [inputName(v), shapeOf(v)]));
  return code.flatMap((text): readonly Guard[] => {
    const guard = typeof text === 'string' ? guardOf(text, names) : undefined;
    if (!guard) {
      warn(`the program is right only where ${String(text).slice(0, 200)}, which is not checked`);
      return [];
    }
    return isSaid(guard, shapes) ? [] : [guard];
  });
}

/** Whether a guard says that two axes are as long as each other that are one symbol, or what a number decides. */
function isSaid({ condition }: Guard, shapes: ReadonlyMap<string, Shape>): boolean {
  if (typeof condition === 'number' || 'input' in condition || condition.fn !== 'eq') return false;
  const [a, b] = condition.args.map((c) => {
    if (typeof c === 'number') return c;
    return 'input' in c && c.axis !== undefined ? shapes.get(c.input)?.[c.axis] : undefined;
  });
  return a !== undefined && b !== undefined && same(a, b);
}

function inputNamed(arg: Json): string | undefined {
  const [form, value] = unionOf(arg, 'an input');
  if (form === 'as_tensor') return textOf(fieldsOf(value, 'an input').name, 'an input');
  const [inner, name] = form === 'as_sym_int' ? unionOf(value, 'an input') : [];
  return inner === 'as_name' ? textOf(name, 'an input') : undefined;
}
