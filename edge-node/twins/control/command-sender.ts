import { randomUUID } from 'node:crypto';
import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Events } from '#runtime/observe/events.ts';
import { ok, type Result } from '#shared/basics/result.ts';
import {
  type CommandInput,
  type CommandRejection,
  type CommandState,
  noCommands,
  stepCommands,
} from '#shared/twin/document/command-tracker.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { commandOfTopic, commandTopic, everyCommandReply } from '#shared/wire/command-topics.ts';
import {
  type CommandMessage,
  type CommandReply,
  commandCodec,
  commandReplyCodec,
} from '#shared/wire/control.ts';

/** Commands of one device that may wait for a reply at a time. */
const IN_FLIGHT_MAX = 32;

export interface CommandSenderOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly clock: Clock;
  readonly events: Events;
}

export interface Command {
  /** Words parted by slashes. */
  readonly subject: string;
  readonly payload: JsonValue;
  readonly timeoutMs: number;
}

/** What became of a command: the device's reply, or none before the deadline. */
export type CommandOutcome = CommandReply | 'timed-out';

/** Gives commands to devices and hands their replies to whoever waits. */
export class CommandSender implements Disposable {
  readonly #options: CommandSenderOptions;
  /** Of devices for which a command is under way. */
  readonly #states = new Map<string, CommandState>();
  readonly #waiting = new Map<string, (outcome: CommandOutcome) => void>();
  readonly #timers = new Map<string, () => void>();

  private constructor(options: CommandSenderOptions) {
    this.#options = options;
  }

  static async start(options: CommandSenderOptions): Promise<CommandSender> {
    const sender = new CommandSender(options);
    const { mqtt, group } = options;
    await mqtt.subscribe(everyCommandReply(group), (message) => sender.#onReply(message));
    return sender;
  }

  /**
   * Sends a command; the promise is of its outcome, at its deadline at the latest. Errors:
   * `command-invalid`, `too-many-commands` (32 of the device wait for a reply).
   */
  send(device: string, command: Command): Result<Promise<CommandOutcome>, CommandRejection> {
    const id = randomUUID();
    const outcome = Promise.withResolvers<CommandOutcome>();
    this.#waiting.set(id, outcome.resolve);
    const nowMs = this.#options.clock.nowMs();
    const stepped = this.#step(device, { kind: 'submitted', nowMs, id, ...command });
    if (!stepped.ok) {
      this.#waiting.delete(id);
      return stepped;
    }
    return ok(outcome.promise);
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#timers.values()) cancel();
    for (const resolve of this.#waiting.values()) resolve('timed-out');
    this.#waiting.clear();
  }

  #step(device: string, input: CommandInput): Result<void, CommandRejection> {
    const { events } = this.#options;
    const stepped = stepCommands(this.#states.get(device) ?? noCommands, input, IN_FLIGHT_MAX);
    if (!stepped.ok) return stepped;
    const { state, effects } = stepped.value;
    if (state.inFlight.size === 0) this.#forget(device);
    else this.#states.set(device, state);
    for (const effect of effects) {
      switch (effect.kind) {
        case 'publish':
          this.#publish(device, effect.message);
          break;
        case 'complete':
          this.#finish(effect.id, effect.reply);
          break;
        case 'time-out':
          this.#finish(effect.id, 'timed-out');
          break;
        case 'wake':
          this.#wake(device, effect.atMs);
          break;
        case 'ignore-reply':
          events.record('info', 'reply-ignored', { device, id: effect.id, reason: effect.reason });
      }
    }
    return ok(undefined);
  }

  #publish(device: string, message: CommandMessage): void {
    const { mqtt, group, events } = this.#options;
    mqtt
      .publish(commandTopic(group, device, message.id), commandCodec.encode(message), { qos: 1 })
      .catch((error: Error) => {
        // Whoever waits is answered at the deadline.
        events.record('warn', 'command-not-sent', { device, reason: error.message });
      });
  }

  #finish(id: string, outcome: CommandOutcome): void {
    this.#waiting.get(id)?.(outcome);
    this.#waiting.delete(id);
  }

  /** The monotonic clock keeps the time to the deadline, whatever the wall clock does. */
  #wake(device: string, atMs: number): void {
    const { clock } = this.#options;
    this.#timers.get(device)?.();
    const cancel = clock.after(Math.max(0, atMs - clock.nowMs()), () =>
      this.#step(device, { kind: 'tick', nowMs: atMs }),
    );
    this.#timers.set(device, cancel);
  }

  #forget(device: string): void {
    this.#timers.get(device)?.();
    this.#timers.delete(device);
    this.#states.delete(device);
  }

  #onReply({ topic, payload }: MqttMessage): void {
    const { clock, events } = this.#options;
    const command = commandOfTopic(topic);
    const decoded = commandReplyCodec.decode(payload);
    if (command === undefined || !decoded.ok || decoded.value.id !== command.id) {
      const reason = decoded.ok ? 'its id is not that of its topic' : decoded.error.message;
      events.record('warn', 'message-invalid', { topic, reason });
      return;
    }
    this.#step(command.device, { kind: 'replied', nowMs: clock.nowMs(), reply: decoded.value });
  }
}
