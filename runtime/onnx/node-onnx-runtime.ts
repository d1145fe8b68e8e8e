import { createRequire } from 'node:module';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  type OnnxLoadOptions,
  type OnnxRuntime,
  OnnxRuntimeError,
  type OnnxSession,
  type OnnxTensor,
  type OnnxTensors,
} from './onnx-runtime.ts';
import { disableOnnxTelemetry } from './telemetry.ts';

type Library = typeof import('onnxruntime-node');

const LOG_FATAL = 4;
const require = createRequire(import.meta.url);

/**
 * ONNX Runtime's Node binding, loaded with its telemetry off at the first `load`. One thread per
 * operator and operators in order: with that the same feeds give the same bits.
 */
export const nodeOnnxRuntime: OnnxRuntime = {
  async load(model: Uint8Array, options: OnnxLoadOptions = {}): Promise<OnnxSession> {
    const library = loadLibrary();
    let session: InferenceSession;
    try {
      session = await library.InferenceSession.create(model, {
        graphOptimizationLevel: options.graphOptimisation === 'off' ? 'disabled' : 'all',
        executionMode: 'sequential',
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        logSeverityLevel: LOG_FATAL,
      });
    } catch (cause) {
      throw new OnnxRuntimeError(`cannot load the model: ${(cause as Error).message}`, { cause });
    }
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      run: (feeds) => runSession(library, session, feeds),
      [Symbol.asyncDispose]: () => session.release(),
    };
  },
};

function loadLibrary(): Library {
  disableOnnxTelemetry();
  try {
    return require('onnxruntime-node') as Library;
  } catch (cause) {
    throw new OnnxRuntimeError('cannot load onnxruntime-node; run npm ci', { cause });
  }
}

async function runSession(
  library: Library,
  session: InferenceSession,
  feeds: OnnxTensors,
): Promise<OnnxTensors> {
  try {
    const inputs: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(feeds)) {
      inputs[name] = new library.Tensor(tensor.data, tensor.shape);
    }
    const outputs = await session.run(inputs);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => [
        name,
        { shape: dims, data: data as OnnxTensor['data'] },
      ]),
    );
  } catch (cause) {
    throw new OnnxRuntimeError(`cannot run the model: ${(cause as Error).message}`, { cause });
  }
}
