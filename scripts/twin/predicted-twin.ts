import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import type { JsonObject } from '#shared/twin/document/json.ts';
import { table } from '../trial/trial-report.ts';
import type { TwinOptions } from './run-twin.ts';
import { TwinClient } from './twin-client.ts';

interface Predicted {
  readonly value: number | null;
  readonly unit?: string;
  readonly origin: string;
  readonly ageMs: number;
  readonly expectedError: number | null;
  readonly errorBasis: string;
  readonly predictor: string;
}

interface PredictedOptions extends TwinOptions {
  /** The time asked for, where it is not now. */
  readonly time?: string;
  readonly revision?: string;
}

/**
 * `diten twin get --predicted`: what the twin takes its properties to be, or those of a feature, or
 * one. Error (exit 2): `revision-refused`.
 */
export async function getPredicted(
  id: string,
  path: string | undefined,
  options: PredictedOptions,
): Promise<void> {
  const { json, time, revision } = options;
  if (revision !== undefined) {
    throw new ProgramError(
      'revision-refused',
      '--revision: what was predicted goes by time; give --time instead',
      { exit: exitCode.usage },
    );
  }
  const client = new TwinClient(options);
  const [wanted, property] = path?.split('/') ?? [];
  const query = time === undefined ? '' : `?${new URLSearchParams({ at: time })}`;
  const answers: Record<string, Predicted> = {};
  for (const feature of wanted === undefined ? await reportedFeatures(client, id) : [wanted]) {
    const part = ['features', feature, 'prediction', ...(property === undefined ? [] : [property])];
    const answer = await client.ask(`${await client.thingPath(id, part.join('/'))}${query}`);
    const found = property === undefined ? (answer as JsonObject) : { [property]: answer };
    for (const [name, each] of Object.entries(found)) {
      answers[`${feature}/${name}`] = each as unknown as Predicted;
    }
  }
  const text = json ? JSON.stringify(answers, null, 2) : asTable(answers);
  process.stdout.write(`${text}\n`);
}

/** The features of which there is something to predict from. */
async function reportedFeatures(client: TwinClient, id: string): Promise<string[]> {
  const thing = await client.ask(`${await client.thingPath(id)}?fields=_predictions`);
  const { _predictions: predictions } = thing as { _predictions?: { features: JsonObject } };
  return Object.keys(predictions?.features ?? {});
}

function asTable(answers: Readonly<Record<string, Predicted>>): string {
  const rows = Object.entries(answers).map(([property, answer]) => [
    property,
    answer.value === null ? '-' : `${Number(answer.value.toPrecision(7))} ${answer.unit ?? ''}`,
    answer.origin,
    `${(answer.ageMs / 1000).toFixed(1)} s`,
    answer.expectedError === null ? '-' : String(Number(answer.expectedError.toPrecision(3))),
    answer.errorBasis,
    answer.predictor,
  ]);
  if (rows.length === 0) return 'nothing was reported';
  const head = ['property', 'value', 'origin', 'age', 'expected error', 'basis', 'predictor'];
  return table(head, rows);
}
