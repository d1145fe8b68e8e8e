import type { Capture, CaptureEvent, ConnectEvent, DisconnectEvent } from './capture.ts';
import { isFromEdge, type Message } from './message.ts';

/** One MQTT connection from its CONNECT on, with all that the client did. */
export interface Connection {
  readonly client: string;
  readonly connect: ConnectEvent;
  /** Its place in the capture. */
  readonly index: number;
  will: Message | undefined;
  /** What the client did after it, in order, and its own DISCONNECT as the last. */
  readonly acts: Act[];
  end: DisconnectEvent | undefined;
  endIndex: number | undefined;
  /** The edge node it speaks for: `group/node`. */
  node: string | undefined;
  /** The host application it speaks for. */
  host: string | undefined;
}

export interface Act {
  readonly event: CaptureEvent;
  readonly index: number;
  /** Where the act is to publish something of Sparkplug's. */
  readonly message: Message | undefined;
}

/** The connections of a capture in order of their CONNECT; none where nobody saw them. */
export function traceConnections(
  capture: Capture,
  messages: ReadonlyMap<number, Message>,
): readonly Connection[] {
  const all: Connection[] = [];
  const open = new Map<string, Connection>();
  capture.forEach((event, index) => {
    if (event.kind === 'connect') {
      const connection = begin(event, index);
      all.push(connection);
      open.set(event.client, connection);
      return;
    }
    const connection = event.client === undefined ? undefined : open.get(event.client);
    if (connection === undefined) return;
    follow(connection, { event, index, message: messages.get(index) });
    if (event.kind === 'disconnect') open.delete(event.client);
  });
  for (const connection of all) identify(connection);
  return all;
}

function begin(connect: ConnectEvent, index: number): Connection {
  const { client } = connect;
  const nobody = { node: undefined, host: undefined };
  const stillOpen = { will: undefined, end: undefined, endIndex: undefined };
  return { client, connect, index, acts: [], ...stillOpen, ...nobody };
}

function follow(connection: Connection, act: Act): void {
  const { event, message } = act;
  if (event.kind === 'will') connection.will = message;
  else connection.acts.push(act);
  if (event.kind === 'disconnect') {
    connection.end = event;
    connection.endIndex = act.index;
  }
}

/** By what it says; by what it would have said of it, where it says nothing. */
function identify(connection: Connection): void {
  const { acts, will } = connection;
  const said = [...acts.flatMap(({ message }) => message ?? []), ...(will ? [will] : [])];
  connection.node = said.find(isFromEdge)?.node;
  connection.host = said.find(({ verb }) => verb === 'STATE')?.host;
}

/** Whether a topic filter matches a topic (MQTT 5.0, 4.7). */
export function filterMatches(filter: string, topic: string): boolean {
  const levels = topic.split('/');
  const wanted = filter.split('/');
  const rest = wanted.indexOf('#');
  if (rest >= 0 ? levels.length < rest : levels.length !== wanted.length) return false;
  const compared = rest >= 0 ? wanted.slice(0, rest) : wanted;
  return compared.every((level, i) => level === '+' || level === levels[i]);
}
