import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'smol-toml';
import { freePorts } from '../free-ports.ts';
import { ChaosProgram } from './chaos-program.ts';
import { Relay } from './relay.ts';

const GROUP = 'chaos';
/** Short, so that a connection that is only half there is given up soon. */
const KEEPALIVE_SECONDS = 2;

export interface ChaosDevice {
  readonly id: string;
  readonly program: ChaosProgram;
  /** Between it and its broker. */
  readonly relay: Relay;
  /** Each counts its readings: see `createSimulatedSensor`. */
  readonly properties: readonly string[];
}

/** The programs of a chaos run, and the links between them. */
export interface Field extends AsyncDisposable {
  readonly edge: ChaosProgram;
  /** Of its own, past all relays. */
  readonly brokerPort: number;
  readonly apiUrl: string;
  readonly devices: readonly ChaosDevice[];
}

export interface FieldOptions {
  readonly folder: string;
  readonly devices: number;
  readonly onDeath: (death: string) => void;
}

/**
 * Writes the configurations of an edge node and its devices under `folder` and starts them all. The
 * last device is fast and may hold little: it drops by rule in any outage of some seconds.
 */
export async function startField({ folder, devices, onDeath }: FieldOptions): Promise<Field> {
  await using parts = new AsyncDisposableStack();
  const [mqtt, http] = (await freePorts(2)) as [number, number];
  const program = (name: string, kind: 'edge' | 'device', config: object) => {
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const data = join(own, 'data');
    const text = stringify({ id: name, group: GROUP, data, ...config });
    writeFileSync(join(own, 'config.toml'), text);
    const started = new ChaosProgram({ name, kind, folder: own, onDeath });
    started.start();
    parts.defer(() => started.kill());
    return started;
  };
  const edge = program('edge', 'edge', { mqtt: { port: mqtt }, http: { port: http } });
  await edge.ready();
  const ids = Array.from({ length: devices }, (_, index) => `device-${index + 1}`);
  const started: ChaosDevice[] = [];
  for (const [index, id] of ids.entries()) {
    const relay = parts.use(await Relay.start(mqtt));
    const fast = index === devices - 1;
    const properties = fast ? ['count/a', 'count/b', 'count/c'] : ['count/a'];
    const config = {
      mqtt: { url: `mqtt://127.0.0.1:${relay.port}`, keepaliveSeconds: KEEPALIVE_SECONDS },
      sensors: properties.map((property) => ({
        ...{ kind: 'simulated', property, periodMs: fast ? 10 : 20 },
      })),
      ...(fast ? { outbox: smallOutbox } : {}),
    };
    started.push({ id, relay, properties, program: program(id, 'device', config) });
  }
  await Promise.all(started.map((device) => device.program.ready()));
  const kept = parts.move();
  return {
    edge,
    brokerPort: mqtt,
    apiUrl: `http://127.0.0.1:${http}`,
    devices: started,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Of the fast device. */
const smallOutbox = {
  unacknowledgedMax: 1000,
  rules: [{ property: 'count/a', drop: 'thin' }],
};
