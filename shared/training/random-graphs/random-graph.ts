import { seededRandom } from '../../basics/seeded-random.ts';
import { dataType } from '../model/onnx-proto.ts';
import { type FloatType, shapeSize } from '../model/onnx-tensor.ts';
import type { Shapes } from '../model/shape.ts';
import { opsetRange } from '../model/source-graph.ts';
import { buildModel, port } from '../model-fixture.ts';
import { elementwiseDraws, type OperatorDraw } from './draw-elementwise.ts';
import { imageDraws } from './draw-images.ts';
import { indexingDraws } from './draw-indexing.ts';
import { sequenceDraws } from './draw-sequences.ts';
import { shapeDraws } from './draw-shapes.ts';
import { sumDraws } from './draw-sums.ts';
import { createGraphDraft, type GraphDraft, ROWS } from './graph-draft.ts';

export const operatorDraws: readonly OperatorDraw[] = [
  ...elementwiseDraws,
  ...shapeDraws,
  ...indexingDraws,
  ...sumDraws,
  ...imageDraws,
  ...sequenceDraws,
];

/** A model of operators drawn at random: `x` [batch, ...] and parameters -> `y` [batch, 2]. */
export interface RandomGraph {
  readonly seed: number;
  readonly type: FloatType;
  readonly opset: number;
  readonly operators: readonly string[];
  readonly model: Uint8Array<ArrayBuffer>;
  readonly shapes: Shapes;
  /** The shape of `x` in a run. */
  readonly inputShape: readonly number[];
  /** All of them lead to `y`. */
  readonly parameters: readonly string[];
  readonly frozen: readonly string[];
}

/** Columns of `y`. */
export const OUTPUTS = 2;

/** The same seed gives the same graph. */
export function randomGraph(seed: number): RandomGraph {
  const random = seededRandom(seed);
  const { oldest, newest } = opsetRange;
  const opset = oldest + Math.floor(random() * (newest - oldest + 1));
  const type = random() < 0.6 ? dataType.float64 : dataType.float32;
  const eligible = operatorDraws.filter(
    ({ since = oldest, isFloat32Only = false }) =>
      opset >= since && (type === dataType.float32 || !isFloat32Only),
  );
  const draft = createGraphDraft(seed, { type, opset });
  const inputShape = [ROWS, ...draft.oneOf([[3], [4], [2, 3], [2, 2, 2], [2, 3, 3]])];
  draft.input('x', inputShape);
  draft.parameter(draft.oneOf([[3], [2, 3], [1, 4], [2, 2, 3]]));
  const operators: string[] = [];
  const count = draft.int(5, 20);
  for (let attempt = 0; operators.length < count && attempt < 4 * count; attempt++) {
    const { operator, draw } = draft.oneOf(eligible);
    if (draw(draft) !== undefined) operators.push(operator);
  }
  addOutput(draft);
  const { nodes, initialisers, parameters, frozen, shapes } = draft.drawn;
  const model = buildModel({
    opset,
    nodes,
    initialisers,
    inputs: [port('x', [null, ...inputShape.slice(1)], type)],
    outputs: [port('y', [null, OUTPUTS], type)],
  });
  return { seed, type, opset, operators, model, shapes, inputShape, parameters, frozen };
}

/** y: every value that nothing has read, weighed by constants and added up. */
function addOutput(draft: GraphDraft): void {
  const { values, read, nodes, shapes } = draft.drawn;
  const x = values[0]!;
  const ends = values.filter((value) => !read.has(value.name) || value === x);
  const terms = ends.map((value) => {
    const rows = value.isBatched ? ROWS : 1;
    const width = shapeSize(value.shape) / rows;
    const made = { isBatched: value.isBatched };
    const target = draft.ints(value.isBatched ? [-1, width] : [1, -1]);
    const row = draft.node('Reshape', [value, target], { shape: [rows, width], ...made });
    const weights = Array.from({ length: width * OUTPUTS }, () => draft.int(-8, 8) / 8);
    const mix = draft.floats(weights, [width, OUTPUTS]);
    return draft.node('MatMul', [row, mix], { shape: [rows, OUTPUTS], ...made });
  });
  const isBatched = true;
  const sum = terms.reduce((a, b) =>
    draft.node('Add', [a, b], { shape: [ROWS, OUTPUTS], isBatched }),
  );
  nodes.push(['Identity', [sum.name], 'y', {}]);
  shapes.set('y', [null, OUTPUTS]);
}
