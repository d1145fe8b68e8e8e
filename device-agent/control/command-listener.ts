import type { MqttClient, MqttMessage } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import {
  type CommandInbox,
  emptyInbox,
  type InboxInput,
  stepInbox,
} from '#shared/twin/document/command-inbox.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { commandOfTopic, commandReplyTopic, commandsOf } from '#shared/wire/command-topics.ts';
import { type CommandReply, commandCodec, commandReplyCodec } from '#shared/wire/control.ts';

/** Carries out a command; a rejection is answered with 500. */
export type CommandHandler = (payload: JsonValue) => Promise<Outcome>;
type Outcome = Pick<CommandReply, 'status' | 'payload'>;

export interface CommandListenerOptions {
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  /** By subject. */
  readonly handlers: Readonly<Record<string, CommandHandler>>;
  readonly log: Log;
}

/** Takes the device's commands, executes each once, and replies. */
export class CommandListener {
  readonly #options: CommandListenerOptions;
  #inbox: CommandInbox = emptyInbox;

  private constructor(options: CommandListenerOptions) {
    this.#options = options;
  }

  static async start(options: CommandListenerOptions): Promise<CommandListener> {
    const listener = new CommandListener(options);
    const { mqtt, group, device } = options;
    await mqtt.subscribe(commandsOf(group, device), (message) => listener.#onCommand(message));
    return listener;
  }

  #onCommand({ topic, payload }: MqttMessage): void {
    const decoded = commandCodec.decode(payload);
    if (!decoded.ok || decoded.value.id !== commandOfTopic(topic)?.id) {
      this.#options.log.warn({ topic }, 'command refused: it is not valid');
      return;
    }
    // By the edge node's clock, whatever the device's says: nothing is kept for a device that is
    // away, so a command comes when it is issued.
    const nowMs = decoded.value.issuedMs;
    this.#step({ kind: 'received', nowMs, message: decoded.value });
  }

  #step(input: InboxInput): void {
    const { inbox, effects } = stepInbox(this.#inbox, input);
    this.#inbox = inbox;
    for (const effect of effects) {
      if (effect.kind === 'reply') this.#reply(effect.reply);
      else void this.#execute(effect.message);
    }
  }

  async #execute({ id, subject, payload }: { id: string; subject: string; payload: JsonValue }) {
    const { handlers } = this.#options;
    const handler = Object.hasOwn(handlers, subject) ? handlers[subject] : undefined;
    const done = await this.#outcome(handler, payload);
    this.#step({ kind: 'done', reply: { v: 1, id, ...done } });
  }

  async #outcome(handler: CommandHandler | undefined, payload: JsonValue): Promise<Outcome> {
    if (handler === undefined) {
      const known = Object.keys(this.#options.handlers);
      return { status: 404, payload: { message: 'the device knows no such command', known } };
    }
    try {
      return await handler(payload);
    } catch (error) {
      return { status: 500, payload: { message: (error as Error).message.slice(0, 500) } };
    }
  }

  #reply(reply: CommandReply): void {
    const { mqtt, group, device, log } = this.#options;
    mqtt
      .publish(commandReplyTopic(group, device, reply.id), commandReplyCodec.encode(reply), {
        qos: 1,
      })
      // Whoever waits is told at the deadline that nothing came.
      .catch((error: Error) => log.debug({ reason: error.message }, 'reply not sent'));
  }
}
