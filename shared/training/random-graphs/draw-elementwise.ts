import type { Attributes } from '../model/attributes.ts';
import { dataType } from '../model/onnx-proto.ts';
import type { GraphDraft, Value } from './graph-draft.ts';

/** Adds an operator to a draft, on values that fit it; nothing where none do. */
export type DrawOperator = (draft: GraphDraft) => readonly Value[] | undefined;

export interface OperatorDraw {
  readonly operator: string;
  readonly draw: DrawOperator;
  /** The first operator set that has it. */
  readonly since?: number;
  /** The runtime has no kernel for float64. */
  readonly isFloat32Only?: boolean;
}

/** Where an operator is smooth and its values stay near 1. */
type Domain = 'any' | 'mild' | 'positive' | 'within one' | 'above one';

/** A value with nodes around it that keep it in a domain. */
export function within(draft: GraphDraft, value: Value, domain: Domain): Value {
  const { shape, isBatched } = value;
  const with_ = (operator: string, ...operands: (Value | string)[]) =>
    draft.node(operator, operands, { shape, isBatched });
  switch (domain) {
    case 'any':
      return value;
    case 'mild':
      return with_('Tanh', value);
    case 'within one':
      return with_('Mul', with_('Tanh', value), draft.floats([0.7], []));
    case 'positive':
    case 'above one': {
      const square = with_('Mul', with_('Tanh', value), value);
      return with_('Add', square, draft.floats([domain === 'positive' ? 0.5 : 1.5], []));
    }
  }
}

interface Unary {
  readonly domain?: Domain;
  readonly since?: number;
  readonly isFloat32Only?: boolean;
  readonly attributes?: (draft: GraphDraft) => Attributes;
}

const alpha = (draft: GraphDraft): Attributes => ({ alpha: { float: draft.int(1, 8) / 8 } });
const float32Only = { isFloat32Only: true };

const unaries: Readonly<Record<string, Unary>> = {
  Sin: {},
  Cos: {},
  Tan: { domain: 'within one', ...float32Only },
  Asin: { domain: 'within one', ...float32Only },
  Acos: { domain: 'within one', ...float32Only },
  Atan: float32Only,
  Sinh: { domain: 'mild', ...float32Only },
  Cosh: { domain: 'mild', ...float32Only },
  Tanh: {},
  Asinh: float32Only,
  Acosh: { domain: 'above one', ...float32Only },
  Atanh: { domain: 'within one', ...float32Only },
  Log: { domain: 'positive' },
  Exp: { domain: 'mild' },
  Sqrt: { domain: 'positive' },
  Erf: float32Only,
  Abs: {},
  Reciprocal: { domain: 'positive' },
  Neg: {},
  // Never straight of a parameter, which the compiler would take for a second one.
  Identity: { domain: 'mild' },
  Relu: {},
  LeakyRelu: { attributes: alpha, ...float32Only },
  ThresholdedRelu: { attributes: alpha, ...float32Only },
  Elu: { attributes: alpha, ...float32Only },
  Selu: float32Only,
  Celu: { attributes: alpha, ...float32Only },
  Sigmoid: {},
  HardSigmoid: { attributes: alpha, ...float32Only },
  HardSwish: { since: 14, ...float32Only },
  Softplus: float32Only,
  Softsign: float32Only,
  Mish: { since: 18, ...float32Only },
  Gelu: {
    since: 20,
    attributes: (draft) => ({ approximate: { string: draft.oneOf(['none', 'tanh']) } }),
    ...float32Only,
  },
};

function drawUnary(operator: string, { domain = 'any', attributes }: Unary): DrawOperator {
  return (draft) => {
    const picked = draft.pick();
    if (picked === undefined) return undefined;
    const value = within(draft, picked, domain);
    const { shape, isBatched } = value;
    return [
      draft.node(operator, [value], {
        shape,
        isBatched,
        ...(attributes && { attributes: attributes(draft) }),
      }),
    ];
  };
}

/** A value that broadcasts with `value`: one there is, or a new one. */
function partner(draft: GraphDraft, value: Value): Value {
  const found = draft.isLucky(0.6)
    ? draft.pick((other) => other !== value && broadcast(value, other) !== undefined)
    : undefined;
  if (found !== undefined) return found;
  const sizes = value.shape.slice(draft.int(0, Math.max(0, value.shape.length - 1)));
  const own = sizes.map((size) => (draft.isLucky(0.3) ? 1 : size));
  const holdsBatch = value.isBatched && own.length === value.shape.length;
  return draft.parameter(own.length === 0 ? [1] : holdsBatch ? [1, ...own.slice(1)] : own);
}

/** What two values broadcast to; `undefined` where they do not, or where the batch would move. */
function broadcast(
  a: Value,
  b: Value,
): { readonly shape: readonly number[]; readonly isBatched: boolean } | undefined {
  const rank = Math.max(a.shape.length, b.shape.length);
  const sizeOf = (value: Value, axis: number) => value.shape[axis - rank + value.shape.length] ?? 1;
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const [one, other] = [sizeOf(a, axis), sizeOf(b, axis)];
    if (one !== other && one !== 1 && other !== 1) return undefined;
    const isBatch = axis === 0 && (a.isBatched || b.isBatched);
    const isHeld = (value: Value, size: number) =>
      size === 1 || (value.isBatched && value.shape.length === rank);
    if (isBatch && !(isHeld(a, one) && isHeld(b, other))) return undefined;
    shape.push(Math.max(one, other));
  }
  const isBatched = a.isBatched || b.isBatched;
  const keepsBatch = [a, b].every((value) => !value.isBatched || value.shape.length === rank);
  return keepsBatch ? { shape, isBatched } : undefined;
}

const binaries: Readonly<Record<string, readonly [Domain, Domain]>> = {
  Add: ['any', 'any'],
  Sub: ['any', 'any'],
  Mul: ['any', 'any'],
  Div: ['any', 'positive'],
  Pow: ['positive', 'mild'],
  Max: ['any', 'any'],
  Min: ['any', 'any'],
  Sum: ['any', 'any'],
};

function drawBinary(operator: string, [first, second]: readonly [Domain, Domain]): DrawOperator {
  return (draft) => {
    const picked = draft.pick();
    if (picked === undefined) return undefined;
    const other = partner(draft, picked);
    const operands = [within(draft, picked, first), within(draft, other, second)] as const;
    const inputs = first === second && draft.isLucky(0.5) ? operands.toReversed() : operands;
    const made = broadcast(...operands);
    return made && [draft.node(operator, inputs, made)];
  };
}

/** Max, Min, Sum, Mean of one value, or of three. */
function drawVariadic(operator: string): DrawOperator {
  return (draft) => {
    const picked = draft.pick();
    if (picked === undefined) return undefined;
    const { shape, isBatched } = picked;
    const others = draft.isLucky(0.3) ? [] : [picked, partner(draft, picked)];
    const fits = others.every((other) => `${broadcast(picked, other)?.shape}` === `${shape}`);
    return fits ? [draft.node(operator, [picked, ...others], { shape, isBatched })] : undefined;
  };
}

const drawWhere: DrawOperator = (draft) => {
  const picked = draft.pick();
  if (picked === undefined) return undefined;
  const other = partner(draft, picked);
  const made = broadcast(picked, other);
  const like = draft.isLucky(0.5) ? picked : other;
  // By name: a comparison alone would not lead from a parameter to the output.
  const condition = draft.aside('Greater', [like.name, draft.floats([0.1], [])], { like });
  return made && [draft.node('Where', [condition, picked, other], made)];
};

const drawPRelu: DrawOperator = (draft) => {
  const picked = draft.pick(({ shape }) => shape.length > 0);
  if (picked === undefined) return undefined;
  const { shape, isBatched } = picked;
  const slope = draft.parameter(
    shape.slice(isBatched ? 1 : 0).map((size) => (draft.isLucky(0.3) ? 1 : size)),
  );
  return slope.shape.length === 0
    ? undefined
    : [draft.node('PRelu', [picked, slope], { shape, isBatched })];
};

const drawClip: DrawOperator = (draft) => {
  const picked = draft.pick();
  if (picked === undefined) return undefined;
  const { shape, isBatched } = picked;
  const low = draft.isLucky(0.7) ? draft.floats([-draft.int(1, 6) / 7], []) : '';
  const high = low === '' || draft.isLucky(0.7) ? [draft.floats([draft.int(1, 6) / 7], [])] : [];
  return [draft.node('Clip', [picked, low, ...high], { shape, isBatched })];
};

/** To float64 and back, by the type's name or by a value that has it. */
function drawCast(back: 'Cast' | 'CastLike'): DrawOperator {
  return (draft) => {
    const picked = draft.pick();
    if (picked === undefined) return undefined;
    const { shape, isBatched } = picked;
    const to = (type: number) => ({ to: { int: type } });
    const wide = draft.aside('Cast', [picked], { like: picked, attributes: to(dataType.float64) });
    if (back === 'CastLike') {
      return [draft.node(back, [wide, draft.floats([0], [])], { shape, isBatched })];
    }
    return [draft.node(back, [wide], { shape, isBatched, attributes: to(draft.type) })];
  };
}

/** Operators that work element by element. */
export const elementwiseDraws: readonly OperatorDraw[] = [
  ...Object.entries(unaries).map(([operator, { since, isFloat32Only, ...unary }]) => ({
    operator,
    draw: drawUnary(operator, unary),
    ...(since !== undefined && { since }),
    ...(isFloat32Only && { isFloat32Only }),
  })),
  ...Object.entries(binaries).map(([operator, domains]) => ({
    operator,
    draw: drawBinary(operator, domains),
  })),
  ...['Max', 'Min', 'Sum'].map((operator) => ({ operator, draw: drawVariadic(operator) })),
  { operator: 'Mean', draw: drawVariadic('Mean'), isFloat32Only: true },
  { operator: 'Where', draw: drawWhere },
  { operator: 'PRelu', draw: drawPRelu, isFloat32Only: true },
  { operator: 'Clip', draw: drawClip },
  { operator: 'Cast', draw: drawCast('Cast') },
  { operator: 'CastLike', draw: drawCast('CastLike'), since: 15 },
];
