import { isMainThread } from 'node:worker_threads';

/**
 * Keeps ONNX Runtime from writing a device id under the home folder and from calling home, which
 * it does on Linux from the moment its library loads. The library reads the process's real
 * environment, and a worker thread has only a copy of it, so the main thread must call this
 * before it starts a worker that loads the runtime.
 *
 * Throws in a worker thread where the main thread has not called it.
 */
export function disableOnnxTelemetry(): void {
  if (process.env.ORT_DISABLE_TELEMETRY === '1') return;
  if (!isMainThread) {
    throw new Error(
      'ORT_DISABLE_TELEMETRY is not set for this process: call disableOnnxTelemetry in the main ' +
        'thread before starting this worker',
    );
  }
  process.env.ORT_DISABLE_TELEMETRY = '1';
}
