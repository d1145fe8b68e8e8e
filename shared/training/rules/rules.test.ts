import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileTraining } from '../compile-training.ts';
import { checkGradients } from '../gradient.contract.ts';
import type { Attributes } from '../model/attributes.ts';
import { int64Tensor } from '../model/onnx-tensor.ts';
import { opsetRange } from '../model/source-graph.ts';
import { buildModel, port, randomTensor } from '../model-fixture.ts';
import { ruleTable } from './rule-table.ts';

/** An operator on parameters of these shapes; `ints` are constants after them. */
interface RuleCase {
  readonly operator: string;
  readonly operands: readonly (readonly number[])[];
  readonly output: readonly number[];
  readonly ints?: readonly number[];
  readonly attributes?: Attributes;
}

const gemmCases = [0, 1].flatMap((transA) =>
  [0, 1].map((transB) => ({
    operator: 'Gemm',
    // Square where a transpose could be forgotten without the shapes telling, oblong elsewhere.
    operands:
      transA === transB
        ? [[3, 3], [3, 3], [3]]
        : [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], [5]],
    output: transA === transB ? [3, 3] : [3, 5],
    attributes: {
      transA: { int: transA },
      transB: { int: transB },
      alpha: { float: 0.5 },
      beta: { float: 2 },
    },
  })),
);

const cases: readonly RuleCase[] = [
  ...gemmCases,
  {
    operator: 'Gemm',
    operands: [
      [3, 4],
      [4, 5],
    ],
    output: [3, 5],
  },
  ...[[1], [1, 5], [3, 1], [3, 5]].map((bias) => ({
    operator: 'Gemm',
    operands: [[3, 4], [4, 5], bias],
    output: [3, 5],
  })),
  {
    operator: 'MatMul',
    operands: [
      [3, 4],
      [4, 5],
    ],
    output: [3, 5],
  },
  {
    operator: 'MatMul',
    operands: [
      [3, 3],
      [3, 3],
    ],
    output: [3, 3],
  },
  {
    operator: 'MatMul',
    operands: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    output: [2, 3, 5],
  },
  {
    operator: 'MatMul',
    operands: [
      [2, 3, 3],
      [3, 3],
    ],
    output: [2, 3, 3],
  },
  {
    operator: 'MatMul',
    operands: [
      [3, 4],
      [2, 4, 5],
    ],
    output: [2, 3, 5],
  },
  {
    operator: 'MatMul',
    operands: [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    output: [2, 3, 3, 2],
  },
  { operator: 'MatMul', operands: [[4], [4, 5]], output: [5] },
  { operator: 'MatMul', operands: [[3, 4], [4]], output: [3] },
  { operator: 'MatMul', operands: [[4], [2, 4, 5]], output: [2, 5] },
  { operator: 'MatMul', operands: [[2, 3, 4], [4]], output: [2, 3] },
  ...['Add', 'Sub', 'Mul'].flatMap((operator) => [
    {
      operator,
      operands: [
        [3, 4],
        [3, 4],
      ],
      output: [3, 4],
    },
    { operator, operands: [[3, 4], [4]], output: [3, 4] },
    {
      operator,
      operands: [
        [3, 1],
        [2, 3, 4],
      ],
      output: [2, 3, 4],
    },
    {
      operator,
      operands: [
        [3, 1],
        [1, 4],
      ],
      output: [3, 4],
    },
  ]),
  ...['Relu', 'Tanh', 'Sigmoid', 'Identity'].map((operator) => ({
    operator,
    operands: [[3, 4]],
    output: [3, 4],
  })),
  { operator: 'Reshape', operands: [[3, 4]], ints: [2, -1], output: [2, 6] },
  { operator: 'Flatten', operands: [[3, 2, 2]], output: [3, 4] },
  {
    operator: 'Flatten',
    operands: [[3, 2, 2]],
    attributes: { axis: { int: 2 } },
    output: [6, 2],
  },
];

/** y = operator(parameters) + x, so that the output has the batch the loss asks for. */
function caseModel({ operator, operands, ints, attributes, output }: RuleCase, opset: number) {
  const initialisers = operands.map((shape, i) => randomTensor(`p${i}`, shape, { seed: 10 + i }));
  if (ints !== undefined) initialisers.push(int64Tensor('ints', [ints.length], ints));
  const batched = [null, ...output.slice(1)];
  return buildModel({
    opset,
    initialisers,
    nodes: [
      [operator, initialisers.map(({ name }) => name), 'z', attributes ?? {}],
      ['Add', ['z', 'x'], 'y'],
    ],
    inputs: [port('x', batched)],
    outputs: [port('y', batched)],
  });
}

describe('gradient rules', () => {
  for (const ruleCase of cases) {
    const { operator, operands, output } = ruleCase;
    for (const opset of [opsetRange.oldest, opsetRange.newest]) {
      const shapes = operands.map((shape) => `[${shape}]`).join(' ');
      it(`${operator} of ${shapes}, opset ${opset}`, async () => {
        const graphs = compileTraining(caseModel(ruleCase, opset), {
          loss: 'mse',
          optimiser: { kind: 'sgd' },
          shapes: new Map([['z', output]]),
        });
        assert.ok(graphs.ok, graphs.ok ? '' : graphs.error.message);
        const check = await checkGradients(graphs.value, output[0]!);
        assert.ok(check.differenceError < 1e-7, `central differences: ${check.differenceError}`);
        assert.ok(check.adjointError < 1e-7, `adjoint: ${check.adjointError}`);
        assert.equal(check.magnitudes.size, operands.length);
        for (const [name, magnitude] of check.magnitudes) assert.ok(magnitude > 1e-3, name);
      });
    }
  }

  it('are all tried', () => {
    const tried = new Set(cases.map(({ operator }) => `:${operator}`));
    assert.deepEqual(
      [...ruleTable.keys()].filter((key) => !tried.has(key)),
      [],
    );
  });
});
