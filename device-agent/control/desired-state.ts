import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import {
  type AckMessage,
  ackCodec,
  type DesiredMessage,
  desiredCodec,
} from '#shared/wire/control.ts';
import { topicOf } from '#shared/wire/topics.ts';
import { type Actuation, type Actuator, toLevel } from './actuator.ts';

const ACKNOWLEDGEMENTS_PER_MESSAGE_MAX = 100;
const REASON_LENGTH_MAX = 500;
const WAITING_PER_OUTPUT_MAX = 100;

export interface DesiredStateOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  readonly actuators: readonly Actuator[];
  readonly log: Log;
}

/** The device's outputs to whoever else may set them, or shows what they are. */
export interface Outputs {
  /** `feature/property`. */
  readonly properties: readonly string[];
  /** Sets one, in turn with what is desired; never rejects. */
  set(property: string, value: JsonValue): Promise<Actuation>;
  /** `listener` hears of every value an output has taken, and at once of those it has. */
  onSet(listener: (property: string, value: JsonValue) => void): void;
}

type DesiredProperty = DesiredMessage['properties'][number];
type Acknowledgement = AckMessage['acknowledgements'][number];

/**
 * Carries out what is desired of the device: each version of a property once, the newest only, and
 * acknowledges it. Everything is acknowledged again whenever the broker says it again, with every
 * connection: so no acknowledgement is lost, and nothing about it needs to survive the process.
 *
 * What somebody else sets an output to stands until the hub says again what it desires: the hub
 * wins, and a write it was told of is what it desires.
 */
export class DesiredState implements Outputs {
  readonly properties: readonly string[];
  readonly #options: DesiredStateOptions;
  readonly #actuators: ReadonlyMap<string, Actuator>;
  /** Of the counter `#epoch`: the answer to each property's newest version. */
  #answers = new Map<string, Acknowledgement>();
  #epoch = '';
  /** Of `#epoch`: the highest that was taken. */
  #version = -1;
  #newest: DesiredMessage | undefined;
  #working = false;
  /** What is set of one output is set one after the other. */
  readonly #turns = new Map<string, { last: Promise<unknown>; waiting: number }>();
  readonly #values = new Map<string, JsonValue>();
  readonly #listeners: ((property: string, value: JsonValue) => void)[] = [];

  private constructor(options: DesiredStateOptions) {
    this.#options = options;
    this.#actuators = new Map(options.actuators.map((each) => [each.property, each]));
    this.properties = [...this.#actuators.keys()];
  }

  static async start(options: DesiredStateOptions): Promise<DesiredState> {
    const state = new DesiredState(options);
    const { mqtt, group, device } = options;
    await mqtt.subscribe(topicOf(group, device, 'desired'), (message) => state.#take(message));
    return state;
  }

  async set(property: string, value: JsonValue): Promise<Actuation> {
    const done = await this.#actuate(property, value);
    if (done.kind === 'done') this.#answers.delete(property);
    return done;
  }

  onSet(listener: (property: string, value: JsonValue) => void): void {
    this.#listeners.push(listener);
    for (const [property, value] of this.#values) listener(property, value);
  }

  #take({ payload }: MqttMessage): void {
    const decoded = desiredCodec.decode(payload);
    if (!decoded.ok) {
      this.#options.log.warn(decoded.error, 'desired state refused');
      return;
    }
    const { epoch, version } = decoded.value;
    const newest = this.#newest ?? { epoch: this.#epoch, version: this.#version };
    // What the broker kept may come after something newer that it did not.
    if (epoch === newest.epoch && version < newest.version) return;
    this.#newest = decoded.value;
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let message = this.#newest; message !== undefined; message = this.#newest) {
      this.#newest = undefined;
      await this.#carryOut(message);
    }
    this.#working = false;
  }

  async #carryOut({ epoch, version, properties }: DesiredMessage): Promise<void> {
    if (epoch !== this.#epoch) this.#answers = new Map();
    this.#epoch = epoch;
    this.#version = version;
    const answers = new Map<string, Acknowledgement>();
    for (const property of properties) {
      const known = this.#answers.get(property.path);
      const isNew = known?.av !== property.version;
      answers.set(property.path, isNew ? await this.#set(property) : known);
    }
    this.#answers = answers;
    await this.#acknowledge(epoch, [...answers.values()]);
  }

  async #set({ path, version, value }: DesiredProperty): Promise<Acknowledgement> {
    const answer = (ac: number, ad: string) => {
      return { path, value, ac, av: version, ad: ad.slice(0, REASON_LENGTH_MAX) };
    };
    const done = await this.#actuate(path, value);
    return done.kind === 'done' ? answer(200, '') : answer(done.code, done.reason);
  }

  #actuate(property: string, value: JsonValue): Promise<Actuation> {
    const actuator = this.#actuators.get(property);
    if (actuator === undefined) {
      const reason = 'the device has no such output';
      return Promise.resolve({ kind: 'refused', code: 404, reason });
    }
    const turn = this.#turns.get(property) ?? { last: Promise.resolve(), waiting: 0 };
    this.#turns.set(property, turn);
    if (turn.waiting >= WAITING_PER_OUTPUT_MAX) {
      const reason = 'too much waits for this output already';
      return Promise.resolve({ kind: 'refused', code: 429, reason });
    }
    turn.waiting++;
    const done = turn.last
      .then(() => this.#actuateNow(actuator, value))
      .finally(() => turn.waiting--);
    turn.last = done;
    return done;
  }

  async #actuateNow(actuator: Actuator, value: JsonValue): Promise<Actuation> {
    const { property } = actuator;
    try {
      const actuation = await actuator.set(value);
      if (actuation.kind === 'refused') return actuation;
    } catch (error) {
      const reason = (error as Error).message;
      this.#options.log.warn({ path: property, reason }, 'output not set');
      return { kind: 'refused', code: 500, reason };
    }
    const level = toLevel(value);
    const taken = level === undefined ? value : level === 1;
    this.#values.set(property, taken);
    for (const listener of this.#listeners) listener(property, taken);
    return { kind: 'done' };
  }

  async #acknowledge(epoch: string, answers: readonly Acknowledgement[]): Promise<void> {
    const { mqtt, group, device, log } = this.#options;
    for (let from = 0; from < answers.length; from += ACKNOWLEDGEMENTS_PER_MESSAGE_MAX) {
      const acknowledgements = answers.slice(from, from + ACKNOWLEDGEMENTS_PER_MESSAGE_MAX);
      const bytes = ackCodec.encode({ v: 1, epoch, acknowledgements });
      try {
        await mqtt.publish(topicOf(group, device, 'ack'), bytes, { qos: 1 });
      } catch (error) {
        // The next connection says again what is desired, and this with it.
        log.debug({ reason: (error as Error).message }, 'acknowledgement not sent');
        return;
      }
    }
  }
}
