import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { qualityCodes } from '#shared/sparkplug/edge-metrics.ts';
import type { ReportedValue } from '#shared/sparkplug/host-birth.ts';
import type { HostNodeEffect } from '#shared/sparkplug/host-node-state.ts';
import type { NodeEffects } from '#shared/sparkplug/host-nodes.ts';
import type { Quality, Sample } from '#shared/twin/sample.ts';
import { OUTBOX_METRIC, outboxIdOf, sequenceOf } from '#shared/wire/live-state.ts';
import { propertySchema } from '#shared/wire/names.ts';
import { reportedOf } from '../twins/thing-facts.ts';
import type { StateReport, TwinStore } from '../twins/twin-store.ts';

/** In so much time a sample that is heard live comes by the durable channel too, if that is up. */
const GRACE_MS = 250;
/** Of an edge node whose values cannot be shown yet: its twin is not known, or not committed. */
const RETRY_MS = 1000;
/** So that one turn stays short when a whole group comes back at once. */
const NODES_PER_FLUSH_MAX = 200;
/** The last millisecond a JavaScript date reaches (ECMA-262, 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

export interface LiveStateOptions {
  readonly store: Pick<TwinStore, 'get' | 'samples' | 'showAhead'>;
  readonly clock: Clock;
  readonly events: Events;
}

/** What one device agent was heard to say and its twin may not show yet. */
interface Heard {
  /** Of the outbox that its births name; values without one are nobody's samples. */
  readonly outboxId: string | undefined;
  /** The device's newest, once it was found to be that outbox's. */
  epoch?: string;
  /** The newest by `feature/property`. */
  readonly pending: Map<string, Sample>;
}

/**
 * Brings what is heard live into the twins while their streams are behind. A live value is a sample
 * of the outbox by its sequence: if the stream is committed as far, there is nothing to do; if not,
 * the twin shows it now, and the stream stores it later, when nothing about the twin changes by it.
 * Of a device it holds the newest value of each metric that its births announced, no more.
 */
export class LiveState implements Disposable {
  readonly #options: LiveStateOptions;
  readonly #heard = new Map<string, Heard>();
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;

  constructor(options: LiveStateOptions) {
    this.#options = options;
  }

  /** Takes what a message did to an edge node; its name is that of the device. */
  take({ address: { node }, effects }: NodeEffects): void {
    for (const effect of effects) this.#change(node, effect);
  }

  forget(node: string): void {
    this.#heard.delete(node);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #change(node: string, effect: HostNodeEffect): void {
    switch (effect.kind) {
      case 'node-born': {
        const stated = effect.values.find(({ name }) => name === OUTBOX_METRIC)?.value;
        const outboxId = typeof stated === 'string' ? stated : undefined;
        if (outboxId !== undefined && this.#heard.get(node)?.outboxId === outboxId) break;
        this.#heard.set(node, { outboxId, pending: new Map() });
        break;
      }
      case 'node-died':
        // Nothing is kept for who never said on the durable channel who it is.
        if (this.#heard.get(node)?.epoch === undefined) this.#heard.delete(node);
        break;
      case 'device-born':
        this.#hear(node, effect.device, effect.values);
        break;
      case 'values':
        if (effect.device !== undefined) this.#hear(node, effect.device, effect.values);
    }
  }

  #hear(node: string, device: string, values: readonly ReportedValue[]): void {
    const heard = this.#heard.get(node);
    if (heard?.outboxId === undefined) return;
    for (const value of values) {
      const sample = toSample(device, value);
      if (sample === undefined) continue;
      const before = heard.pending.get(sample.property);
      if (before === undefined || before.sequence < sample.sequence) {
        heard.pending.set(sample.property, sample);
      }
    }
    if (heard.pending.size > 0) this.#wake(GRACE_MS);
  }

  #wake(delayMs: number): void {
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const cancel = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#flush();
    });
    this.#timer = { dueMs, cancel };
  }

  #flush(): void {
    const { store, clock, events } = this.#options;
    const waiting = [...this.#heard].filter(([, { pending }]) => pending.size > 0);
    const flushed = waiting.slice(0, NODES_PER_FLUSH_MAX);
    try {
      const ahead = flushed.map(([device, heard]) => this.#ahead(device, heard));
      const reports = ahead.filter((each) => each !== undefined);
      const news = reports.filter(({ samples }) => samples.length > 0);
      if (news.length > 0) store.showAhead(news, clock.nowMs());
      for (const [i, [, { pending }]] of flushed.entries()) if (ahead[i]) pending.clear();
      if (ahead.includes(undefined)) this.#wake(RETRY_MS);
    } catch (error) {
      events.record('error', 'commit-failed', { reason: (error as Error).message });
      this.#wake(RETRY_MS);
    }
    if (waiting.length > flushed.length) this.#wake(GRACE_MS);
  }

  /** What of it the twin does not show yet; `undefined` where that cannot be told yet. */
  #ahead(device: string, heard: Heard): StateReport | undefined {
    const { store } = this.#options;
    const thing = store.get(device);
    const isNews = ({ property, sequence }: Sample) => {
      const source = thing && reportedOf(thing, property)?.source;
      return source?.epoch !== heard.epoch || source === undefined || source.sequence < sequence;
    };
    const samples = [...heard.pending.values()].filter(isNews);
    if (samples.length === 0) return { device, epoch: '', generation: 0, samples };
    const newest = store.samples.newestEpoch(device);
    if (thing === undefined || newest === undefined) return undefined;
    const { epoch, generation, committed } = newest;
    if (epoch !== heard.epoch && outboxIdOf(epoch) !== heard.outboxId) return undefined;
    heard.epoch = epoch;
    return {
      ...{ device, epoch, generation },
      samples: samples.filter(({ sequence }) => sequence > committed),
    };
  }
}

/** The sample that a live value is; `undefined` where it is none, or from before. */
function toSample(device: string, value: ReportedValue): Sample | undefined {
  const sequence = sequenceOf(value.properties);
  const property = propertySchema.safeParse(`${device}/${value.name}`);
  const { value: stated, timestampMs: timeMs, isHistorical } = value;
  if (sequence === undefined || !property.success || isHistorical) return undefined;
  if (stated !== null && (typeof stated !== 'number' || !Number.isFinite(stated))) return undefined;
  if (timeMs > TIME_MS_MAX) return undefined;
  return { sequence, property: property.data, timeMs, value: stated, quality: qualityOf(value) };
}

/** As near as Sparkplug's three codes come to it (Sparkplug 3.0, 6.4.9.1). */
function qualityOf({ properties = [], value }: ReportedValue): Quality {
  const stated = properties.find(({ key }) => key === 'Quality')?.value;
  const code = stated?.kind === 'int' ? stated.value : qualityCodes.good;
  if (code === qualityCodes.good) return value === null ? 'range' : 'ok';
  if (code === qualityCodes.stale) return 'stale';
  return value === null ? 'gap' : 'range';
}
