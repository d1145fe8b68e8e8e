import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import {
  type AckMessage,
  ackCodec,
  type DesiredMessage,
  desiredCodec,
} from '#shared/wire/control.ts';
import { topicOf } from '#shared/wire/topics.ts';
import type { Actuator } from './actuator.ts';

const ACKNOWLEDGEMENTS_PER_MESSAGE_MAX = 100;
const REASON_LENGTH_MAX = 500;

export interface DesiredStateOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  readonly actuators: readonly Actuator[];
  readonly log: Log;
}

type DesiredProperty = DesiredMessage['properties'][number];
type Acknowledgement = AckMessage['acknowledgements'][number];

/**
 * Carries out what is desired of the device: each version of a property once, the newest only, and
 * acknowledges it. Everything is acknowledged again whenever the broker says it again, with every
 * connection: so no acknowledgement is lost, and nothing about it needs to survive the process.
 */
export class DesiredState {
  readonly #options: DesiredStateOptions;
  readonly #actuators: ReadonlyMap<string, Actuator>;
  /** Of the counter `#epoch`: the answer to each property's newest version. */
  #answers = new Map<string, Acknowledgement>();
  #epoch = '';
  /** Of `#epoch`: the highest that was taken. */
  #version = -1;
  #newest: DesiredMessage | undefined;
  #working = false;

  private constructor(options: DesiredStateOptions) {
    this.#options = options;
    this.#actuators = new Map(options.actuators.map((each) => [each.property, each]));
  }

  static async start(options: DesiredStateOptions): Promise<DesiredState> {
    const state = new DesiredState(options);
    const { mqtt, group, device } = options;
    await mqtt.subscribe(topicOf(group, device, 'desired'), (message) => state.#take(message));
    return state;
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
    const actuator = this.#actuators.get(path);
    if (actuator === undefined) return answer(404, 'the device has no such output');
    try {
      const actuation = await actuator.set(value);
      if (actuation.kind === 'done') return answer(200, '');
      return answer(actuation.code, actuation.reason);
    } catch (error) {
      this.#options.log.warn({ path, reason: (error as Error).message }, 'output not set');
      return answer(500, (error as Error).message);
    }
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
