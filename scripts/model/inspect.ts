import { compileTask } from '#device-agent/training/training-task.ts';
import { nodeOnnxRuntime } from '#runtime/onnx/node-onnx-runtime.ts';
import { inspectModel, type ModelInspection } from '#shared/training/inspect-model.ts';
import { readModelFile, unwrap } from './model-file.ts';
import { describePort, typeName } from './port-text.ts';

/** `diten model inspect`: prints it. */
export async function inspect(file: string, { json }: { json: boolean }): Promise<void> {
  const model = readModelFile(file);
  const inspection = unwrap(inspectModel(model), file);
  const spec = { model, loss: 'mse', optimiser: { kind: 'sgd' } } as const;
  const compiled = await compileTask(nodeOnnxRuntime, spec);
  const refusal = compiled.ok ? undefined : compiled.error;
  if (json) {
    const trains = refusal === undefined;
    console.log(
      JSON.stringify({ file, trains, ...inspection, ...(refusal && { refusal }) }, null, 2),
    );
    return;
  }
  print(file, inspection);
  if (refusal === undefined) console.log('trains as it is');
  else console.log(`does not train as it is: ${refusal.message} [${refusal.code}]`);
}

function print(file: string, inspection: ModelInspection): void {
  const { opset, inputs, outputs, parameters, operators, blockers } = inspection;
  const floats = parameters.filter(({ state }) => state !== 'fixed');
  const count = (state?: string): string =>
    floats
      .filter((parameter) => state === undefined || parameter.state === state)
      .reduce((sum, { size }) => sum + size, 0)
      .toLocaleString('en');
  console.log(`${file}: operator set ${opset}`);
  section(
    'takes',
    inputs.map((port) => [describePort(port)]),
  );
  section(
    'gives',
    outputs.map((port) => [describePort(port)]),
  );
  const constants = parameters.length - floats.length;
  section(
    `parameters: ${count('trains')} of ${count()} values train` +
      (constants === 0 ? '' : `, and ${constants} constants`),
    floats.map(({ name, type, shape, state, isSuspect }) => [
      name,
      `${typeName(type)} [${shape.join(', ')}]`,
      isSuspect ? `trains, but looks like a constant: --freeze ${name}` : stateTexts[state],
    ]),
  );
  section(
    'operators',
    operators.map(({ operator, domain, count: times, countOnPath, isSupported }) => [
      domain === '' ? operator : `${domain}.${operator}`,
      `${times}`,
      roleText(countOnPath, isSupported),
    ]),
  );
  section(
    'what blocks training',
    blockers.map(({ node, parameters: blamed }) => [
      `${node.name || 'an unnamed node'} (${node.operator})`,
      `freeze ${blamed.join(', ')}, or export the model without this operator`,
    ]),
  );
}

const stateTexts = {
  trains: 'trains',
  blocked: 'is blocked, see below',
  unused: 'does not reach the output',
  carried: 'is a running statistic: training carries it along',
  fixed: 'is a constant',
} as const;

function roleText(countOnPath: number, isSupported: boolean): string {
  if (countOnPath === 0) return 'needs no gradient here';
  return isSupported ? 'has a gradient' : 'has no gradient rule';
}

function section(title: string, rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  console.log(title);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    console.log(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()}`,
    );
  }
}
