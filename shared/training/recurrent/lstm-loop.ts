import { createGraphBuilder, type GraphBuilder } from '../graph-builder.ts';
import type { NodeProto } from '../model/onnx-proto.ts';
import type { Shape, Shapes } from '../model/shape.ts';
import {
  nodeReads,
  normalDomain,
  RESERVED_PREFIX,
  type SourceGraph,
} from '../model/source-graph.ts';
import type { Upstream } from '../upstream.ts';
import { addScan } from './add-scan.ts';
import {
  biasesOf,
  type Direction,
  directionsOf,
  partOf,
  recurrentInput,
  unitsOf,
  zeroState,
} from './directions.ts';
import { affine, byTime, concat, flattened, gateParts } from './recurrence.ts';

const GATES = 4;
const tapeNames = ['i', 'o', 'f', 'g', 'entering', 'kept', 'tanhCell'] as const;

/**
 * What the gradient needs of one direction of an LSTM, [T, B, H] each: the gates, what enters the
 * cell, what is kept of the last one, and tanh of the cell.
 */
export type LstmTape = Readonly<Record<(typeof tapeNames)[number], string>>;

/** The names of the tape of a direction. */
export function lstmTape(node: NodeProto, direction: number): LstmTape {
  const prefix = `${prefixOf(node)}tape${direction}/`;
  return Object.fromEntries(tapeNames.map((name) => [name, prefix + name])) as LstmTape;
}

interface LoopRequest {
  /** The nodes that may read a tape. */
  readonly readers: readonly NodeProto[];
  readonly upstream: ReadonlyMap<string, Upstream>;
  readonly shapes: Shapes;
}

/**
 * The model with a loop (ONNX Scan) in place of every LSTM whose tape is read: ONNX's own operator
 * keeps nothing of what goes on in it, and to work it out again takes as long as the loop does.
 */
export function lstmsAsLoops(
  source: SourceGraph,
  { readers, upstream, shapes }: LoopRequest,
): SourceGraph {
  const read = new Set(readers.flatMap(nodeReads));
  const initialisers = new Map(source.initialisers);
  const nodes = source.nodes.flatMap((node) => {
    const type = upstream.get(node.output[0] ?? '')?.type;
    const isLstm = node.opType === 'LSTM' && normalDomain(node.domain) === '';
    if (!isLstm || type === undefined || !read.has(lstmTape(node, 0).f)) return [node];
    const graph = createGraphBuilder(type, prefixOf(node));
    addLoops({ graph, node, sequence: shapes.get(node.input[recurrentInput.x]!) });
    const built = graph.finish();
    for (const [name, tensor] of built.constants) initialisers.set(name, tensor);
    return built.nodes;
  });
  return { ...source, nodes, initialisers };
}

function prefixOf(node: NodeProto): string {
  return `${RESERVED_PREFIX}loop/${node.output[0]}/`;
}

/** A loop for each direction, and the outputs of the node: Y [T, D, B, H], Y_h, Y_c [D, B, H]. */
function addLoops(place: Place): void {
  const { graph, node } = place;
  const ends = directionsOf(place).map((direction) => addLoop(place, direction));
  const [y, lastState, lastCell] = node.output;
  const outputs = [
    [y, 1, ends.map(({ states }) => states)],
    [lastState, 0, ends.map(({ last }) => last.state)],
    [lastCell, 0, ends.map(({ last }) => last.cell)],
  ] as const;
  for (const [name, axis, values] of outputs) {
    if (!name) continue;
    const parts = values.map((value) => graph.node('Unsqueeze', [value, graph.ints([axis])]));
    graph.publish(parts.length === 1 ? parts[0]! : concat(graph, parts, axis), name);
  }
}

interface Place {
  readonly graph: GraphBuilder;
  readonly node: NodeProto;
  /**
   * Of the input, where known: ONNX Runtime 1.30 does not load a graph in which a Reshape to the
   * shape of Y stands before one to fixed sizes, unless it finds that those of Y are fixed, too.
   */
  readonly sequence: Shape | undefined;
}

interface LoopEnds {
  /** [T, B, H] */
  readonly states: string;
  /** [B, H] each. */
  readonly last: { readonly state: string; readonly cell: string };
}

function addLoop(place: Place, direction: Direction): LoopEnds {
  const { graph, node, sequence } = place;
  const units = unitsOf(node);
  const shape = [sequence?.[1] ?? null, units];
  const zeros = zeroState(place);
  const first = [recurrentInput.initial, recurrentInput.initialCell].map(
    (index) => partOf(direction, node.input[index]) ?? zeros,
  );
  const stateWeight = direction.part(node.input[recurrentInput.r]!, 0);
  // Turned once, not in each step.
  const weights = gateParts({ graph, units }, stateWeight, GATES).map((weight) =>
    graph.node('Transpose', [weight], { perm: { ints: [1, 0] } }),
  );
  const { items, states: last } = addScan(graph, {
    name: `${prefixOf(node)}${direction.index}`,
    isReversed: direction.isReversed,
    states: first.map((value) => ({ value, shape })),
    sequences: ofInputs(place, direction).map((value) => ({ value, shape })),
    made: [shape, ...tapeNames.map(() => shape)],
    body: (step, { states: [state, cell], items: sums }) =>
      addStep(step, { state: state!, cell: cell!, sums, weights }),
  });
  const [states, ...taped] = items as [string, ...string[]];
  const tape = lstmTape(node, direction.index);
  taped.forEach((value, at) => {
    graph.publish(value, tape[tapeNames[at]!]);
  });
  return { states, last: { state: last[0]!, cell: last[1]! } };
}

/** x W' + b of each gate at all times, [T, B, H]. */
function ofInputs({ graph, node, sequence }: Place, direction: Direction): string[] {
  const layer = { graph, units: unitsOf(node) };
  const x = node.input[recurrentInput.x]!;
  const biases = biasesOf({ graph, node }, { direction, gates: GATES });
  const bias = biases && gateParts(layer, graph.node('Add', [biases.input, biases.state]), GATES);
  const weight = direction.part(node.input[recurrentInput.w]!, 0);
  const [time, batch] = sequence ?? [];
  return gateParts(layer, weight, GATES).map((part, gate) => {
    const sums = affine(graph, flattened(graph, x), part, bias?.[gate]);
    return time && batch
      ? graph.node('Reshape', [sums, graph.ints([time, batch, layer.units])])
      : byTime({ graph, states: x }, sums);
  });
}

interface Step {
  readonly state: string;
  readonly cell: string;
  /** Of each gate, what its input adds, and the weights of the state. */
  readonly sums: readonly string[];
  readonly weights: readonly string[];
}

/** c = f c' + i g and h = o tanh(c), with the gates in the order i o f g. */
function addStep(graph: GraphBuilder, { state, cell, sums, weights }: Step) {
  const mul = (...values: [string, string]) => graph.node('Mul', values);
  const [i, o, f, g] = sums.map((sum, gate) => {
    const reached = graph.node('Gemm', [state, weights[gate]!, sum]);
    return graph.node(gate === GATES - 1 ? 'Tanh' : 'Sigmoid', [reached]);
  }) as [string, string, string, string];
  const [entering, kept] = [mul(i, g), mul(f, cell)];
  const next = graph.node('Add', [entering, kept]);
  const tanhCell = graph.node('Tanh', [next]);
  const nextState = mul(o, tanhCell);
  const tape: LstmTape = { i, o, f, g, entering, kept, tanhCell };
  return {
    states: [nextState, next],
    items: [nextState, ...tapeNames.map((name) => tape[name])],
  };
}
