import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createMlpModel } from '#shared/training/mlp-model.ts';
import { nodeOnnxRuntime } from './node-onnx-runtime.ts';
import { OnnxRuntimeError } from './onnx-runtime.ts';

const run = promisify(execFile);
const adapter = new URL('./node-onnx-runtime.ts', import.meta.url).href;
const telemetry = new URL('./telemetry.ts', import.meta.url).href;
const model = createMlpModel({ inputs: 2, hidden: [3], outputs: 1, seed: 1 });

/** Loads and runs a model through the adapter; `code` for `node --eval`. */
const script = `
const { nodeOnnxRuntime } = await import(${JSON.stringify(adapter)});
const model = Uint8Array.from(Buffer.from('${Buffer.from(model).toString('base64')}', 'base64'));
const session = await nodeOnnxRuntime.load(model);
const outputs = await session.run({ x: { shape: [1, 2], data: Float32Array.of(1, 2) } });
await session[Symbol.asyncDispose]();
console.log('ran', outputs.y.data.length);
`;

const inWorker = `
const { Worker } = await import('node:worker_threads');
const { disableOnnxTelemetry } = await import(${JSON.stringify(telemetry)});
disableOnnxTelemetry();
const code = ${JSON.stringify(`(async () => {${script}})()`)};
const worker = new Worker(code, { eval: true });
await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
`;

describe('the ONNX runtime', () => {
  for (const [where, code] of Object.entries({
    'in the main thread': script,
    'in a worker': inWorker,
  })) {
    it(`leaves nothing in the home folder ${where}`, async () => {
      const home = await mkdtemp(join(tmpdir(), 'diten-home-'));
      try {
        const { ORT_DISABLE_TELEMETRY: _, ...others } = process.env;
        const folders = ['CACHE_HOME', 'CONFIG_HOME', 'DATA_HOME', 'STATE_HOME', 'RUNTIME_DIR'];
        const xdg = folders.map((name) => [`XDG_${name}`, join(home, name)]);
        const env = { ...others, HOME: home, ...Object.fromEntries(xdg) };
        const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], {
          env,
        });
        assert.equal(stdout, 'ran 1\n');
        assert.deepEqual(await readdir(home, { recursive: true }), []);
      } finally {
        await rm(home, { recursive: true });
      }
    });
  }

  it('refuses to load in a worker whose process has telemetry on', async () => {
    const env = { ...process.env };
    delete env.ORT_DISABLE_TELEMETRY;
    const worker = new Worker(`(async () => {${script}})()`, { eval: true, env });
    const error = await new Promise((resolve) =>
      worker.once('error', resolve).once('exit', resolve),
    );
    assert.match(String(error), /ORT_DISABLE_TELEMETRY is not set/);
  });

  it('gives the same outputs with and without graph optimisation', async () => {
    const x = { shape: [2, 2], data: Float32Array.of(1, -2, 3, 4) };
    const results: unknown[] = [];
    for (const graphOptimisation of ['off', 'all'] as const) {
      await using session = await nodeOnnxRuntime.load(model, { graphOptimisation });
      assert.deepEqual(session.inputNames, ['x']);
      const { y } = await session.run({ x });
      assert.deepEqual(y?.shape, [2, 1]);
      results.push(y?.data);
    }
    assert.deepEqual(results[0], results[1]);
  });

  it('says what it cannot load or run, and goes on', async () => {
    await assert.rejects(nodeOnnxRuntime.load(model.subarray(9)), OnnxRuntimeError);
    await using session = await nodeOnnxRuntime.load(model);
    const x = { shape: [1, 2], data: Float32Array.of(1, 2) };
    await assert.rejects(session.run({}), OnnxRuntimeError);
    await assert.rejects(session.run({ x: { ...x, shape: [2, 2] } }), OnnxRuntimeError);
    await assert.rejects(
      session.run({ x: { shape: [1, 3], data: new Float32Array(3) } }),
      OnnxRuntimeError,
    );
    const wrong = { shape: [1, 2], data: BigInt64Array.of(1n, 2n) };
    await assert.rejects(session.run({ x: wrong }), OnnxRuntimeError);
    assert.equal((await session.run({ x })).y?.data.length, 1);
  });
});
