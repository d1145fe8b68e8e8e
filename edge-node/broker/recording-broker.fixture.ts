import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Aedes, type Client } from 'aedes';
import type { CaptureEvent } from '#shared/sparkplug/conformance/capture.ts';

/** A broker that lets everybody do everything, and keeps what only a broker sees. */
export interface RecordingBroker extends AsyncDisposable {
  readonly port: number;
  readonly capture: readonly CaptureEvent[];
}

export async function startRecordingBroker(): Promise<RecordingBroker> {
  const capture: CaptureEvent[] = [];
  const ended = new WeakSet<Client>();
  const end = (client: Client, packet: { readonly reason?: number }) => {
    if (ended.has(client)) return;
    ended.add(client);
    capture.push({ kind: 'disconnect', at: Date.now(), client: client.id, ...packet });
  };
  const aedes = new Aedes({
    preConnect(_client, { clientId, clean = false, will }, done) {
      const about = { at: Date.now(), client: clientId };
      capture.push({ kind: 'connect', ...about, protocol: 4, clean });
      if (will !== undefined) capture.push({ kind: 'will', ...about, ...toTransmission(will) });
      done(null, true);
    },
    authorizeSubscribe({ id: client }, subscription, done) {
      const { topic, qos } = subscription;
      capture.push({ kind: 'subscribe', at: Date.now(), client, topic, qos });
      done(null, subscription);
    },
    authorizePublish(client, packet, done) {
      // Asked for a will, which is sent without a DISCONNECT only, once its client is gone.
      const isWill = client?.closed === true;
      if (isWill) end(client, {});
      const sender = client === null || isWill ? {} : { client: client.id };
      capture.push({ kind: 'publish', at: Date.now(), ...sender, ...toTransmission(packet) });
      done(null);
    },
  });
  aedes.on('clientDisconnect', (client) => end(client, { reason: 0 }));
  await aedes.listen();
  const server = createServer((socket) => {
    aedes.handle(socket);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    capture,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await new Promise<void>((resolve) => {
        aedes.close(resolve);
      });
      await closed;
    },
  };
}

interface Packet {
  readonly topic: string;
  readonly payload: Buffer | string;
  readonly qos?: number;
  readonly retain?: boolean;
}

function toTransmission({ topic, payload, qos = 0, retain = false }: Packet) {
  return { topic, qos, retain, payload: Uint8Array.from(Buffer.from(payload)) };
}
