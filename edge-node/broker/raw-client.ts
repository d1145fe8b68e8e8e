import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from '#runtime/mqtt/mqtt-client.contract.ts';

/** Packets and connections below any client library, for tests of what no library would send. */

const PUBLISH = 3 << 4;

export interface RawConnect {
  readonly clientId: string;
  readonly username?: string;
  readonly clean?: boolean;
  readonly keepaliveSeconds?: number;
  readonly will?: { readonly topic: string; readonly payload: string; readonly retain?: boolean };
}

/** CONNECT: MQTT 3.1.1, 3.1. */
export function connectPacket(request: RawConnect): Buffer {
  const { clientId, username, clean = true, keepaliveSeconds = 30, will } = request;
  const flags =
    (username === undefined ? 0 : 0x80) |
    (will?.retain ? 0x20 : 0) |
    (will === undefined ? 0 : 4) |
    (clean ? 2 : 0);
  const fields = [clientId, will?.topic, will?.payload, username].filter((f) => f !== undefined);
  return packet(
    0x10,
    string('MQTT'),
    Buffer.from([4, flags, keepaliveSeconds >> 8, keepaliveSeconds & 0xff]),
    ...fields.map(string),
  );
}

/** PUBLISH with QoS 0, or with 2 where an id is given: MQTT 3.1.1, 3.3. */
export function publishPacket(topic: string, payload: Uint8Array, idOfQos2?: number): Buffer {
  if (idOfQos2 === undefined) return packet(PUBLISH, string(topic), payload);
  return packet(PUBLISH | 4, string(topic), Buffer.from([0, idOfQos2]), payload);
}

/** SUBSCRIBE with QoS 1: MQTT 3.1.1, 3.8. */
export function subscribePacket(filters: readonly string[]): Buffer {
  const wanted = filters.flatMap((filter) => [string(filter), Buffer.from([1])]);
  return packet(0x82, Buffer.from([0, 1]), ...wanted);
}

/** The fixed header: a first byte and the remaining length (MQTT 3.1.1, 2.2.3). */
export function header(firstByte: number, length: number): Buffer {
  const bytes = [firstByte];
  let rest = length;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

function packet(firstByte: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([header(firstByte, body.length), body]);
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

export interface RawClient {
  readonly socket: Socket;
  /** All the broker has sent so far. */
  received(): Buffer;
  /** Resolves with all the broker sent when it has closed the connection. */
  closed(): Promise<Buffer>;
}

export async function openRaw(port: number, ...packets: readonly Uint8Array[]): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunks: Buffer[] = [];
  let isClosed = false;
  socket.on('data', (chunk) => chunks.push(chunk));
  // A reset is one of the ways in which the broker closes a connection.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    isClosed = true;
  });
  await once(socket, 'connect');
  for (const bytes of packets) socket.write(bytes);
  const received = () => Buffer.concat(chunks);
  return {
    socket,
    received,
    async closed() {
      await until(() => isClosed);
      return received();
    },
  };
}

/** A raw client that the broker has let in. */
export async function openAdmitted(port: number, request: RawConnect): Promise<RawClient> {
  const client = await openRaw(port, connectPacket(request));
  await until(() => client.received().length >= 4);
  return client;
}
