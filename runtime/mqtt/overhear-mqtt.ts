import { randomUUID } from 'node:crypto';
import {
  connectAsync,
  ErrorWithReasonCode,
  ErrorWithSubackPacket,
  type IClientOptions,
  type MqttClient,
} from 'mqtt';
import { configurationError, ProgramError } from '#runtime/process/program-error.ts';

const CONNECT_TIMEOUT_MS = 5000;

/** A message as closely as a subscriber can tell how it was published. */
export interface OverheardMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** As it was published. */
  readonly qos: 0 | 1 | 2;
  /** As it was published; unknown for what comes live over MQTT 3.1.1. */
  readonly retain: boolean | undefined;
  /** The broker had kept it from before. */
  readonly kept: boolean;
}

export interface OverhearOptions {
  /** `mqtt://[user:password@]host:port`. */
  readonly url: string;
  /** All but the first may be refused by the broker. */
  readonly filters: readonly string[];
  onMessage(message: OverheardMessage): void;
  /** The connection has gone; nothing more comes. */
  onLost(): void;
}

export interface Overhearing extends AsyncDisposable {
  /** 4 is MQTT 3.1.1, 5 is MQTT 5. */
  readonly protocol: 4 | 5;
}

/**
 * Listens to what others publish, once and without coming back. Over MQTT 5 one subscription keeps
 * the retain flag as published and another brings what the broker has kept; a broker that does not
 * speak it is asked again over MQTT 3.1.1, where the flag of live messages is lost.
 *
 * Errors: {@link ProgramError} `broker-unreachable`, `broker-refused`, `subscription-refused`;
 * `broker-url-invalid` (exit 78).
 */
export async function overhearMqtt(options: OverhearOptions): Promise<Overhearing> {
  const parsed = URL.parse(options.url);
  if (parsed?.protocol !== 'mqtt:' || parsed.hostname === '') {
    const message = `${options.url}: not the address of a broker; write mqtt://host:port`;
    throw configurationError('broker-url-invalid', message);
  }
  const newer = await connectAsync(options.url, connectOptions(5)).catch(() => undefined);
  try {
    if (newer !== undefined) return await listen(newer, options, 5);
    return await listen(await connectAsync(options.url, connectOptions(4)), options, 4);
  } catch (cause) {
    throw cause instanceof ProgramError ? cause : toProgramError(parsed.host, cause as Error);
  }
}

function connectOptions(protocolVersion: 4 | 5): IClientOptions {
  return {
    protocolVersion,
    clientId: `doctor-${randomUUID().slice(0, 8)}.observer`,
    clean: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
  };
}

async function listen(
  client: MqttClient,
  options: OverhearOptions,
  protocol: 4 | 5,
): Promise<Overhearing> {
  const { filters, onMessage } = options;
  const clients = [client];
  const endOnError = (one: MqttClient) => one.on('error', () => one.end(true));
  endOnError(client);
  try {
    client.on('message', (topic, payload, { qos, retain }) => {
      if (protocol === 5) onMessage({ topic, payload, qos, retain, kept: false });
      else onMessage({ topic, payload, qos, retain: retain || undefined, kept: retain });
    });
    await subscribe(client, filters, protocol === 5 ? { rap: true, rh: 2 } : {});
    if (protocol === 5) {
      const keeper = await connectAsync(options.url, connectOptions(5));
      clients.push(endOnError(keeper));
      keeper.on('message', (topic, payload, { qos, retain }) => {
        if (retain) onMessage({ topic, payload, qos, retain, kept: true });
      });
      await subscribe(keeper, filters, { rap: false, rh: 0 });
    }
  } catch (error) {
    await Promise.all(clients.map((one) => one.endAsync(true)));
    throw error;
  }
  client.on('close', () => options.onLost());
  return {
    protocol,
    async [Symbol.asyncDispose]() {
      client.removeAllListeners('close');
      await Promise.all(clients.map((one) => one.endAsync(true)));
    },
  };
}

interface RetainHandling {
  readonly rap?: boolean;
  readonly rh?: 0 | 2;
}

async function subscribe(
  client: MqttClient,
  [first = '#', ...others]: readonly string[],
  handling: RetainHandling,
): Promise<void> {
  for (const filter of others) {
    // What a broker keeps back here was not promised.
    await client.subscribeAsync(filter, { qos: 2, ...handling }).catch(() => undefined);
  }
  try {
    await client.subscribeAsync(first, { qos: 2, ...handling });
  } catch (cause) {
    if (!(cause instanceof ErrorWithSubackPacket)) throw cause;
    const message = `the broker lets nobody here subscribe to ${first}; allow it for this client`;
    throw new ProgramError('subscription-refused', message, { cause });
  }
}

function toProgramError(host: string, cause: Error): ProgramError {
  if (cause instanceof ErrorWithReasonCode) {
    const message = `the broker at ${host} refuses the connection: ${cause.message}`;
    return new ProgramError('broker-refused', message, { cause });
  }
  const detail = cause.message || (cause as NodeJS.ErrnoException).code || cause.name;
  const message = `no MQTT broker answers at ${host} (${detail}); start it, or give another --url`;
  return new ProgramError('broker-unreachable', message, { cause });
}
