import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '../basics/bytes.ts';
import { ok, type Result } from '../basics/result.ts';
import type { NamedTensor } from '../codec/tensor.ts';
import { type ArtefactName, type ArtefactPorts, planArtefacts, planToBytes } from './artefacts.ts';
import { differentiate, type TrainingOptions } from './differentiate.ts';
import type { ExampleClipping } from './example-clipping.ts';
import { type LossOptions, lossMetrics, readLossOptions } from './losses.ts';
import type { Port } from './model/shape.ts';
import { readSourceGraph } from './model/source-graph.ts';
import type { OptimiserOptions } from './optimisers.ts';
import { frozenParameters, matchParameters, replaceParameters } from './parameters.ts';
import type { TrainingFailure } from './training-failure.ts';

export interface TrainingManifest {
  /** SHA-256 of the model's bytes, in hex. */
  readonly modelDigest: string;
  readonly opset: number;
  readonly loss: LossOptions;
  /** What `evaluate` gives beside the loss. */
  readonly metric: (typeof lossMetrics)[LossOptions['kind']];
  readonly optimiser: OptimiserOptions;
  readonly exampleClipping?: ExampleClipping;
  /** What trains, with initial values, in the model's order. */
  readonly parameters: readonly NamedTensor[];
  /**
   * What a step changes without a gradient, with initial values: the running mean and variance of
   * batch normalisation in training mode.
   */
  readonly statistics: readonly NamedTensor[];
  /** Float initialisers that keep their values. */
  readonly frozen: readonly string[];
  /** What the optimiser carries along, with initial values. */
  readonly slots: readonly NamedTensor[];
  readonly inputs: readonly Port[];
  /** The output that is trained. */
  readonly output: Port;
  /** What the loss compares it with. */
  readonly target: Port;
  readonly artefacts: Readonly<Record<ArtefactName, ArtefactPorts>>;
}

/**
 * ONNX models of standard operators; `artefacts.ts` says what each takes and gives. Each is encoded
 * when it is read, to the same bytes each time.
 */
export interface TrainingGraphs extends Readonly<Record<ArtefactName, Uint8Array<ArrayBuffer>>> {
  readonly manifest: TrainingManifest;
  /**
   * The model with these parameters and statistics, an ordinary ONNX file; otherwise as it was, so
   * batch normalisation stays in its mode. Errors: `parameters-mismatch`.
   */
  writeBack(values: readonly NamedTensor[]): Result<Uint8Array<ArrayBuffer>, TrainingFailure>;
}

/**
 * Compiles a float inference model into graphs that train it in any ONNX runtime. The same model
 * and options give the same bytes.
 *
 * Errors: every {@link TrainingFailure} but `parameters-mismatch`.
 */
export function compileTraining(
  modelBytes: Uint8Array,
  options: TrainingOptions,
): Result<TrainingGraphs, TrainingFailure> {
  const read = readSourceGraph(modelBytes);
  if (!read.ok) return read;
  const source = read.value;
  const differentiated = differentiate(source, options);
  if (!differentiated.ok) return differentiated;
  const { training, parameters, statistics, slots, output } = differentiated.value;
  const values = [...parameters, ...statistics];
  const plans = planArtefacts(training);
  const bytesOf = (name: ArtefactName) => planToBytes(plans[name], source);
  const loss = readLossOptions(options.loss);
  const manifest: TrainingManifest = {
    modelDigest: bytesToHex(sha256(modelBytes)),
    opset: source.opset,
    loss,
    metric: lossMetrics[loss.kind],
    optimiser: options.optimiser,
    ...(options.exampleClipping && { exampleClipping: options.exampleClipping }),
    parameters,
    statistics,
    frozen: frozenParameters(source, values),
    slots,
    inputs: source.inputs,
    output,
    target: training.target,
    artefacts: portsOfAll(plans),
  };
  return ok({
    manifest,
    // Written when asked for: who trains needs two of the five.
    get gradients() {
      return bytesOf('gradients');
    },
    get step() {
      return bytesOf('step');
    },
    get epoch() {
      return bytesOf('epoch');
    },
    get evaluate() {
      return bytesOf('evaluate');
    },
    get predict() {
      return bytesOf('predict');
    },
    writeBack(given) {
      const matched = matchParameters(values, given);
      return matched.ok ? ok(replaceParameters(source, matched.value)) : matched;
    },
  });
}

function portsOfAll(
  plans: Readonly<Record<ArtefactName, ArtefactPorts>>,
): Record<ArtefactName, ArtefactPorts> {
  const portsOf = ({ inputs, outputs }: ArtefactPorts): ArtefactPorts => ({ inputs, outputs });
  return {
    gradients: portsOf(plans.gradients),
    step: portsOf(plans.step),
    epoch: portsOf(plans.epoch),
    evaluate: portsOf(plans.evaluate),
    predict: portsOf(plans.predict),
  };
}
