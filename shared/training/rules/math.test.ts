import { describe } from 'node:test';
import { dataType } from '../model/onnx-proto.ts';
import { mathRules } from './math.ts';
import { checkRules, floats, type RuleCase } from './rule-case.contract.ts';

const type = dataType.float32;

function unary(operator: string, others: Partial<RuleCase> = {}): RuleCase {
  return { operator, inputs: [[3, 4]], outputs: [[3, 4]], ...others };
}

const clipped = { operator: 'Clip', outputs: [[3, 4]], kinks: [-0.3, 0.4] } as const;

describe('rules for elementary functions', () => {
  checkRules(mathRules, [
    ...['Sin', 'Cos', 'Exp', 'Abs', 'Neg', 'Tanh', 'Identity'].map((operator) => unary(operator)),
    ...['Log', 'Sqrt', 'Reciprocal'].map((operator) => unary(operator, { range: [0.5, 2] })),
    ...['Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Erf'].map((operator) => unary(operator, { type })),
    ...['Asin', 'Acos', 'Atanh'].map((operator) => unary(operator, { type, range: [-0.7, 0.7] })),
    unary('Acosh', { type, range: [1.5, 3] }),
    unary('Cast', { attributes: { to: { int: dataType.float64 } } }),
    { operator: 'CastLike', inputs: [[3, 4], floats([0])], outputs: [[3, 4]], opsets: [15, 26] },
    { ...clipped, inputs: [[3, 4], floats([-0.3]), floats([0.4])] },
    { ...clipped, inputs: [[3, 4], '', floats([0.4])] },
    { ...clipped, inputs: [[3, 4], floats([-0.3])] },
    { ...clipped, inputs: [[3, 4]] },
  ]);
});
