import { userInfo } from 'node:os';
import { isoTime } from '#shared/twin/document/iso-time.ts';
import type { JsonObject, JsonValue } from '#shared/twin/document/json.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { table } from '../trial/trial-report.ts';
import { TwinClient } from './twin-client.ts';

export interface TwinOptions {
  readonly url: string;
  readonly token?: string;
  readonly json: boolean;
}

/** `diten twin ls`: every twin of the edge node, or those of which `filter` (RQL) holds. */
export async function listTwins(options: TwinOptions & { filter?: string }): Promise<void> {
  const client = new TwinClient(options);
  const items: JsonObject[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const after: string = cursor === undefined ? '' : `,cursor(${cursor})`;
    const query = new URLSearchParams({ option: `size(200)${after}` });
    if (options.filter !== undefined) query.set('filter', options.filter);
    const page = (await client.ask(`/api/2/search/things?${query}`)) as unknown as {
      items: JsonObject[];
      cursor?: string;
    };
    items.push(...page.items);
    cursor = page.cursor;
  }
  if (options.json) return print(items);
  const rows = items.map(({ thingId, online, _revision, _modified }) =>
    [thingId, online === true ? 'online' : 'offline', _revision, _modified].map(String),
  );
  process.stdout.write(`${table(['twin', 'link', 'revision', 'modified'], rows)}\n`);
}

/** `diten twin get`: a twin, or what stands at a path of it, now or at a revision or time. */
export async function getTwin(
  id: string,
  path: string | undefined,
  options: TwinOptions & { revision?: string; time?: string },
): Promise<void> {
  const { revision, time } = options;
  const client = new TwinClient(options);
  const query = new URLSearchParams({
    ...(revision === undefined ? {} : { 'at-historical-revision': revision }),
    ...(time === undefined ? {} : { 'at-historical-timestamp': time }),
  });
  print(await client.ask(`${await client.thingPath(id, path)}?${query}`));
}

/**
 * `diten twin set`: puts a value at a path; `feature/property` alone is the desired property. What
 * is no JSON is text.
 */
export async function setTwin(
  { id, path, value }: { id: string; path: string; value: string },
  options: TwinOptions,
): Promise<void> {
  const client = new TwinClient(options);
  const [feature, property, ...rest] = path.split('/').filter((key) => key !== '');
  const isShort = rest.length === 0 && !['attributes', 'features'].includes(feature!) && property;
  const whole = isShort ? `features/${feature}/desiredProperties/${property}` : path;
  const { username } = userInfo();
  const headers: Record<string, string> = nameSchema.safeParse(username).success
    ? { 'X-Diten-By': username }
    : {};
  const body = readValue(value);
  await client.ask(await client.thingPath(id, whole), { method: 'PUT', headers, body });
}

/** `diten twin watch`: prints each change of a twin, or of all, until it is ended. */
export async function watchTwins(id: string | undefined, options: TwinOptions): Promise<void> {
  const client = new TwinClient(options);
  const path = id === undefined ? '/api/2/things' : await client.thingPath(id);
  for await (const { data } of client.events(path)) {
    process.stdout.write(`${JSON.stringify(data)}\n`);
  }
}

interface Explained {
  readonly path: string;
  readonly desired: JsonValue;
  readonly version: number;
  readonly reported?: JsonValue;
  readonly state: string;
  readonly pendingSinceMs?: number;
  readonly reasons: readonly { readonly message: string }[];
}

/** `diten twin diff`: what is desired beside what is reported. */
export async function diffTwin(id: string, options: TwinOptions): Promise<void> {
  const client = new TwinClient(options);
  const delta = await client.ask(await client.thingPath(id, 'delta'));
  if (options.json) return print(delta);
  const rows = (delta as unknown as Explained[]).map((entry) => [
    entry.path,
    JSON.stringify(entry.desired),
    entry.reported === undefined ? '-' : JSON.stringify(entry.reported),
    entry.version,
    entry.state,
    entry.pendingSinceMs === undefined ? '-' : isoTime(entry.pendingSinceMs),
  ]);
  const head = ['property', 'desired', 'reported', 'version', 'state', 'since'];
  process.stdout.write(rows.length === 0 ? 'nothing is desired\n' : `${table(head, rows)}\n`);
}

/** `diten twin why`: for each desired property why it is where it is. */
export async function explainTwin(id: string, options: TwinOptions): Promise<void> {
  const client = new TwinClient(options);
  const answer = await client.ask(await client.thingPath(id, 'why'));
  if (options.json) return print(answer);
  const explanations = answer as unknown as Explained[];
  if (explanations.length === 0) process.stdout.write('nothing is desired\n');
  for (const { path, desired, state, reasons } of explanations) {
    process.stdout.write(`${path} = ${JSON.stringify(desired)}: ${state}\n`);
    for (const { message } of reasons) process.stdout.write(`  ${message}\n`);
  }
}

/** `diten twin relations`: both ways, with the nodes that could not be asked. */
export async function showRelations(id: string, options: TwinOptions): Promise<void> {
  const client = new TwinClient(options);
  const answer = await client.ask(await client.thingPath(id, 'relations'));
  if (options.json) return print(answer);
  const { outgoing, incoming, unanswered = [] } = answer as unknown as Related;
  const rows = [
    ...outgoing.map(({ type, thingId }) => ['it', type, thingId]),
    ...incoming.map(({ type, thingId }) => [thingId, type, 'it']),
  ];
  const shown = rows.length === 0 ? 'it is related to nothing' : table(['from', 'is', 'to'], rows);
  process.stdout.write(`${shown}\n`);
  if (unanswered.length > 0) {
    process.stderr.write(`without what ${unanswered.join(', ')} would say: they did not answer\n`);
  }
}

interface Related {
  readonly outgoing: readonly { readonly type: string; readonly thingId: string }[];
  readonly incoming: Related['outgoing'];
  readonly unanswered?: readonly string[];
}

/** `diten twin history`: the newest revisions of a twin, or those from one to another. */
export async function showHistory(
  id: string,
  options: TwinOptions & { from?: number; to?: number },
): Promise<void> {
  const { json, ...range } = options;
  const client = new TwinClient(options);
  const path = await client.thingPath(id);
  const newest = ((await client.ask(path)) as { _revision: number })._revision;
  const to = Math.min(newest, range.to ?? newest);
  const from = range.from ?? Math.max(1, to - 19);
  const bounds = { 'from-historical-revision': `${from}`, 'to-historical-revision': `${to}` };
  for await (const { data } of client.events(`${path}?${new URLSearchParams(bounds)}`)) {
    const { thingId: _, _revision, _modified, _by, ...changes } = data as JsonObject;
    const line = `${_revision}  ${_modified}  ${_by}  ${JSON.stringify(changes)}`;
    process.stdout.write(`${json ? JSON.stringify(data) : line}\n`);
  }
}

function readValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text; // so that words need no quotes in quotes
  }
}

function print(value: JsonValue): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
