import type { Clock } from '#runtime/clock/clock.ts';
import type { ForwardedAnswer } from '#shared/wire/forwarding.ts';
import type { Unanswered } from '../forwarding/forwarder.ts';

const POLL_MS = 500;
const HEARTBEAT_MS = 15_000;
/** For how long a reader may leave what it was sent where it is. */
const STALLED_MS = 45_000;
const LAST_ID = /id:(\d+)\n\n$/;

export interface PassedStreamOptions {
  readonly clock: Clock;
  /** Asks the node that hosts the thing for what came after an event. */
  readonly ask: (after: string) => Promise<ForwardedAnswer | Unanswered>;
  /** Whether its reader is let in still; asked before each portion. */
  readonly mayGoOn: () => boolean;
  /** Called once, however it ends. */
  readonly onEnd: () => void;
  /** Ends the connection of a reader that takes nothing. */
  readonly cutOff: () => void;
}

/**
 * The events of a thing that another edge node hosts: portions of that node's stream, asked for as
 * its reader takes them. Ends where that node does not answer; a reader that comes again with the
 * last id misses nothing.
 */
export class PassedStream {
  readonly #options: PassedStreamOptions;
  #ready: string;
  /** Left out once there is no more to come. */
  #lastId: string | undefined;
  #cancelTimer: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #ended = false;
  #silentMs = 0;

  /** @param first - The first portion. */
  constructor(options: PassedStreamOptions, first: ForwardedAnswer) {
    this.#options = options;
    const { events, lastId } = readPortion(first);
    this.#ready = events;
    this.#lastId = lastId;
  }

  /** The bytes; to be read once. */
  body(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      { pull: (controller) => this.#pull(controller), cancel: () => this.#end() },
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#cancelTimer();
    while (!this.#ended) {
      if (this.#ready !== '') {
        controller.enqueue(Buffer.from(this.#ready));
        this.#ready = '';
        this.#silentMs = 0;
        this.#cancelTimer = this.#options.clock.after(STALLED_MS, () => {
          this.#end();
          this.#options.cutOff();
        });
        return;
      }
      if (this.#lastId !== undefined) {
        await this.#pause();
        const mayGoOn = this.#options.mayGoOn();
        if (this.#ended || (mayGoOn && (await this.#poll(this.#lastId)))) continue;
      }
      this.#end();
      controller.close();
    }
  }

  /** False where there is nobody to ask any more. */
  async #poll(after: string): Promise<boolean> {
    const answer = await this.#options.ask(after);
    if (!('status' in answer) || answer.status !== 200) return false;
    const { events, lastId } = readPortion(answer);
    this.#lastId = lastId;
    this.#silentMs += POLL_MS;
    this.#ready = events === '' && this.#silentMs >= HEARTBEAT_MS ? ':\n\n' : events;
    return true;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#cancelTimer = this.#options.clock.after(POLL_MS, resolve);
    });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    this.#wake();
    this.#options.onEnd();
  }
}

function readPortion({ body }: ForwardedAnswer): { events: string; lastId: string | undefined } {
  const text = Buffer.from(body).toString('utf8');
  const lastId = LAST_ID.exec(text)?.[1];
  return { events: text.replace(LAST_ID, '').replaceAll(/^:\n\n/gm, ''), lastId };
}
