import { join } from 'node:path';
import { twinSchema } from '#edge-node/twins/twin-schema.ts';
import { openDatabaseReadOnly } from '#runtime/database/database.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import type { Change } from '#shared/twin/document/thing-step.ts';
import { closing, twinFile } from './accounting.ts';
import { feedbackRule, warningOutput } from './trial-plan.ts';

/** What the feedback rule did to one device, by the revisions of its twin. */
export interface FeedbackReport {
  readonly device: string;
  /** How often the rule wanted the output to change. */
  readonly switched: number;
  /** How often the device answered that it has. */
  readonly taken: number;
  /** From what was wanted to the device's answer, both committed; the median, `null` for none. */
  readonly medianMs: number | null;
}

/** Reads it from the edge node's file alone, so it holds for programs that were killed. */
export function feedbackReport(device: string, edgeFolder: string): FeedbackReport {
  const [feature, property] = warningOutput.split('/');
  const wanted = `/features/${feature}/desiredProperties/${property}`;
  const answered = `/_metadata${wanted}/acknowledged`;
  const changes = readChanges(device, edgeFolder);
  let switched = 0;
  /** When the value that waits for an answer was wanted. */
  let wantedMs: number | undefined;
  const delaysMs: number[] = [];
  for (const { timeMs, by, path, value } of changes) {
    if (path === wanted && by === `rule:${feedbackRule.name}`) {
      switched += 1;
      wantedMs = timeMs;
    } else if (path === answered && isDone(value) && wantedMs !== undefined) {
      delaysMs.push(timeMs - wantedMs);
      wantedMs = undefined;
    }
  }
  delaysMs.sort((a, b) => a - b);
  const medianMs = delaysMs[Math.floor(delaysMs.length / 2)] ?? null;
  return { device, switched, taken: delaysMs.length, medianMs };
}

function readChanges(device: string, edgeFolder: string) {
  using database = closing(openDatabaseReadOnly(join(edgeFolder, twinFile), twinSchema));
  const rows = database.value
    .prepare(
      `SELECT time_ms AS timeMs, by, changes FROM revisions
       WHERE device = ? AND changes LIKE '%desiredProperties%' ORDER BY revision`,
    )
    .all(device) as { timeMs: number; by: string; changes: string }[];
  return rows.flatMap(({ changes, ...row }) =>
    (JSON.parse(changes) as Change[]).map((change) => ({ ...row, ...change })),
  );
}

function isDone(value: JsonValue | undefined): boolean {
  return (value as { ac?: unknown } | undefined)?.ac === 200;
}
