import type { Capture } from './capture.ts';
import { type Connection, traceConnections } from './connections.ts';
import { bdSeqOf, isData, isFromEdge, type Message, readMessage, sourceOf } from './message.ts';
import type { MetricView } from './payload-view.ts';

/** A capture as the assertions see it. */
export interface Replay {
  readonly capture: Capture;
  /** In order, wills left out. */
  readonly messages: readonly Heard[];
  readonly wills: readonly Message[];
  readonly connections: readonly Connection[];
  /** How long the host application waits for a message that is missing. */
  readonly reorderTimeoutMs: number | undefined;
}

/** A message, and what was known of its edge node just before it. */
export interface Heard extends Message {
  readonly connection: Connection | undefined;
  /** Whether the session was heard from its beginning, or the end of the one before it was. */
  readonly known: boolean;
  /** The newest NBIRTH of this session. */
  readonly birth: Heard | undefined;
  /** The newest NBIRTH of any session, and the one before that. */
  readonly births: readonly Heard[];
  /** The newest DBIRTH of the message's device in this session, unless it has died since. */
  readonly deviceBirth: Heard | undefined;
  /** The newest message of this session with a place in its sequence. */
  readonly previous: Heard | undefined;
  /** The newest NDEATH that ended a session. */
  readonly death: Heard | undefined;
  /** A device (the message's own, if it is one) that has neither come nor gone since a rebirth. */
  readonly awaited: string | undefined;
  /** Whether data came since the NBIRTH. */
  readonly afterData: boolean;
  /** In a birth: an alias that another metric of the edge node has. */
  readonly aliasTaken: bigint | undefined;
  /** In a birth. */
  readonly definitions: Definitions | undefined;
}

interface Definitions {
  readonly byName: ReadonlyMap<string, MetricView>;
  readonly byAlias: ReadonlyMap<bigint, MetricView>;
}

/** Follows the capture once; what the assertions need of the past stands with each message. */
export function replay(capture: Capture, reorderTimeoutMs?: number): Replay {
  const read = capture.flatMap((event, index) => readMessage(event, index) ?? []);
  const connections = traceConnections(capture, new Map(read.map((one) => [one.index, one])));
  const carriers = carriersOf(connections);
  const nodes = new Map<string, NodeState>();
  const messages: Heard[] = [];
  for (const message of read) {
    if (message.event.kind === 'will') continue;
    const state = nodes.get(message.node ?? '') ?? newState();
    nodes.set(message.node ?? '', state);
    messages.push(hear(state, message, carriers.get(message.index)));
  }
  const wills = read.filter(({ event }) => event.kind === 'will');
  return { capture, messages, wills, connections, reorderTimeoutMs };
}

/** The metric as the birth has it by which this message goes; by name where it has one. */
export function definitionOf(message: Heard, metric: MetricView): MetricView | undefined {
  const birth = message.device === undefined ? message.birth : message.deviceBirth;
  if (typeof metric.name === 'string') return birth?.definitions?.byName.get(metric.name);
  if (typeof metric.alias !== 'bigint') return undefined;
  return birth?.definitions?.byAlias.get(metric.alias);
}

function carriersOf(connections: readonly Connection[]): Map<number, Connection> {
  return new Map(
    connections.flatMap((connection) =>
      connection.acts.map(({ index }): [number, Connection] => [index, connection]),
    ),
  );
}

interface NodeState {
  known: boolean;
  connection: Connection | undefined;
  birth: Heard | undefined;
  births: readonly Heard[];
  previous: Heard | undefined;
  death: Heard | undefined;
  afterData: boolean;
  readonly deviceBirths: Map<string, Heard>;
  readonly awaited: Set<string>;
  /** Whose metric it is, device or node. */
  readonly aliases: Map<bigint, string>;
}

function newState(): NodeState {
  return {
    known: false,
    connection: undefined,
    birth: undefined,
    births: [],
    previous: undefined,
    death: undefined,
    afterData: false,
    deviceBirths: new Map(),
    awaited: new Set(),
    aliases: new Map(),
  };
}

function hear(state: NodeState, message: Message, connection: Connection | undefined): Heard {
  const ofSession = isFromEdge(message) && message.verb !== 'NDEATH';
  if (ofSession && connection !== undefined && connection !== state.connection) {
    endSession(state);
    state.connection = connection;
  }
  const { birth, births, previous, death, afterData } = state;
  const { device = '' } = message;
  const isBirth = message.verb === 'NBIRTH' || message.verb === 'DBIRTH';
  if (message.verb === 'NBIRTH') state.aliases.clear();
  const heard: Heard = {
    ...message,
    ...{ connection, birth, births, previous, death, afterData },
    known: state.known || connection !== undefined,
    deviceBirth: state.deviceBirths.get(device),
    awaited: state.awaited.has(device) ? device : state.awaited.values().next().value,
    aliasTaken: isBirth ? takeAliases(state, message) : undefined,
    definitions: isBirth ? index(message.payload?.metrics ?? []) : undefined,
  };
  // What the broker had kept is of no session that goes on.
  const isKept = message.event.kind === 'publish' && message.event.kept === true;
  if (isFromEdge(message) && !isKept) advance(state, heard);
  return heard;
}

function takeAliases({ aliases }: NodeState, message: Message): bigint | undefined {
  const owner = sourceOf(message) ?? '';
  const own = new Set<bigint>();
  let taken: bigint | undefined;
  for (const { alias } of message.payload?.metrics ?? []) {
    if (typeof alias !== 'bigint') continue;
    if (own.has(alias) || (aliases.get(alias) ?? owner) !== owner) taken ??= alias;
    own.add(alias);
    aliases.set(alias, owner);
  }
  return taken;
}

function index(metrics: readonly MetricView[]): Definitions {
  const byName = new Map<string, MetricView>();
  const byAlias = new Map<bigint, MetricView>();
  for (const metric of metrics) {
    if (typeof metric.name === 'string') byName.set(metric.name, metric);
    if (typeof metric.alias === 'bigint') byAlias.set(metric.alias, metric);
  }
  return { byName, byAlias };
}

function advance(state: NodeState, heard: Heard): void {
  const { verb, device = '' } = heard;
  if (verb === 'NDEATH') {
    die(state, heard);
    return;
  }
  if (verb === 'NBIRTH') bear(state, heard);
  if (verb === 'DBIRTH') state.deviceBirths.set(device, heard);
  if (verb === 'DDEATH') state.deviceBirths.delete(device);
  if (verb === 'DBIRTH' || verb === 'DDEATH') state.awaited.delete(device);
  if (isData(heard)) state.afterData = true;
  state.previous = heard;
}

function bear(state: NodeState, heard: Heard): void {
  for (const device of state.deviceBirths.keys()) state.awaited.add(device);
  state.deviceBirths.clear();
  state.afterData = false;
  state.known = true;
  state.birth = heard;
  state.births = [heard, ...state.births.slice(0, 1)];
}

/** A will may come late, when the next session has begun: that one it does not end. */
function die(state: NodeState, heard: Heard): void {
  const ended = bdSeqOf(heard);
  const current = bdSeqOf(state.birth);
  if (ended !== undefined && current !== undefined && ended !== current) return;
  state.death = heard;
  endSession(state);
}

function endSession(state: NodeState): void {
  state.known = true;
  state.birth = undefined;
  state.previous = undefined;
  state.afterData = false;
  state.deviceBirths.clear();
  state.awaited.clear();
  state.aliases.clear();
}
