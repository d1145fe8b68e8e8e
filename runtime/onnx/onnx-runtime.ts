/** A dense tensor in row-major order; the array's class tells the element type. */
export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array | Int32Array;
}

export type OnnxTensors = Readonly<Record<string, OnnxTensor>>;

export interface OnnxLoadOptions {
  /** How far the runtime may rewrite the graph; `all` unless told. */
  readonly graphOptimisation?: 'off' | 'all';
}

/** A loaded model. Disposing of it frees its native memory. */
export interface OnnxSession extends AsyncDisposable {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once. The calculation blocks the calling thread, whatever the promise suggests:
   * call it in a worker thread. Feeds are read in place and never written; no feed may lie in a
   * SharedArrayBuffer.
   *
   * Throws {@link OnnxRuntimeError} where a feed is missing or does not fit, or a node fails.
   */
  run(feeds: OnnxTensors): Promise<OnnxTensors>;
}

/** A runtime for ONNX graphs; a port. */
export interface OnnxRuntime {
  /** Throws {@link OnnxRuntimeError} where the bytes are not a model this runtime can run. */
  load(model: Uint8Array, options?: OnnxLoadOptions): Promise<OnnxSession>;
}

export class OnnxRuntimeError extends Error {
  override readonly name = 'OnnxRuntimeError';
}
