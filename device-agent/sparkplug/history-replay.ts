import type { Clock } from '#runtime/clock/clock.ts';
import type { Log } from '#runtime/observe/log.ts';
import type { Sample } from '#shared/twin/sample.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { SessionStore } from './session-store.ts';

const BATCHES_PER_SECOND = 10;
/** How often the position is kept, in batches: what is shown twice after a crash is that much. */
const BATCHES_PER_SAVE = 10;

export interface HistoryReplayOptions {
  readonly outbox: Pick<Outbox, 'counts' | 'following'>;
  readonly store: Pick<SessionStore, 'unshownAfter' | 'saveUnshownAfter'>;
  readonly perSecond: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Shows samples as ones from before, oldest first; returns how many of them it could. */
  readonly show: (samples: readonly Sample[]) => number;
  /** So many readings more will never be shown; told once the rest is, or the session ends. */
  readonly onNotShown: (count: number) => void;
}

/**
 * Shows what was measured while no session was up, once one is: oldest first, out of the outbox
 * while it still holds it, at a limited rate, what did not change since the reading before left
 * out. A crash, or a session that ends in between, may show some of it twice, and leaves none out.
 */
export class HistoryReplay implements Disposable {
  readonly #options: HistoryReplayOptions;
  /** All behind it is still to be shown; `undefined` while everything is shown as it comes. */
  #after: number | undefined;
  #through = 0;
  /** Readings behind `#through` were not shown as they came either. */
  #isOpen = true;
  #isShown: (sequence: number) => boolean = () => false;
  #last = new Map<string, Sample>();
  #notShown = 0;
  #batches = 0;
  #cancelTimer: () => void = () => undefined;

  constructor(options: HistoryReplayOptions) {
    this.#options = options;
    this.#after = options.store.unshownAfter;
  }

  /** Readings behind that sequence were not shown as they came. */
  missed(afterSequence: number): void {
    this.#isOpen = true;
    if (this.#after === undefined) this.#keep(afterSequence);
  }

  /** A session is up; what its births show already, `isShown` says. */
  resume(isShown: (sequence: number) => boolean): void {
    if (this.#after === undefined) return;
    if (this.#isOpen) {
      this.#through = this.#options.outbox.counts().produced;
      this.#isShown = isShown;
    }
    this.#isOpen = false;
    this.#last = new Map();
    this.#wait();
  }

  /** The session is down. */
  pause(): void {
    this.#cancelTimer();
    this.#tellNotShown();
  }

  /** The outbox numbers anew what it holds, from 1. */
  renumbered(): void {
    if (this.#after === undefined) return;
    this.#through = this.#options.outbox.counts().produced;
    this.#isShown = () => false;
    this.#keep(0);
  }

  [Symbol.dispose](): void {
    this.#cancelTimer();
    this.#keep(this.#after);
  }

  #wait(): void {
    const { clock } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(1000 / BATCHES_PER_SECOND, () => this.#showBatch());
  }

  #showBatch(): void {
    const { outbox, perSecond, show } = this.#options;
    const after = this.#after ?? this.#through;
    const countMax = Math.ceil(perSecond / BATCHES_PER_SECOND);
    const samples = outbox
      .following(after, countMax)
      .filter(({ sequence }) => sequence <= this.#through);
    // Less than was asked for is all there is.
    const last = samples.length < countMax ? this.#through : samples.at(-1)!.sequence;
    const news = samples.filter((sample) => this.#isNews(sample));
    const gone = last - after - samples.length;
    this.#notShown += gone + news.length - show(news);
    this.#after = last;
    this.#batches++;
    if (last >= this.#through) {
      this.#keep(undefined);
      this.#tellNotShown();
    } else {
      if (this.#batches % BATCHES_PER_SAVE === 0) this.#keep(last);
      this.#wait();
    }
  }

  #tellNotShown(): void {
    if (this.#notShown > 0) this.#options.onNotShown(this.#notShown);
    this.#notShown = 0;
  }

  #isNews(sample: Sample): boolean {
    const before = this.#last.get(sample.property);
    this.#last.set(sample.property, sample);
    if (this.#isShown(sample.sequence)) return false;
    return before?.value !== sample.value || before.quality !== sample.quality;
  }

  #keep(after: number | undefined): void {
    this.#after = after;
    try {
      this.#options.store.saveUnshownAfter(after);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'how far Sparkplug was shown was not kept');
    }
  }
}
