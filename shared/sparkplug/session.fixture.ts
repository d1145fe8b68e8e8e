import assert from 'node:assert/strict';
import type { MetricDefinition, Reading } from './edge-metrics.ts';
import { type EdgeEffect, type EdgeInput, stepEdge } from './edge-session.ts';
import { createEdgeSession, type EdgeOptions, type EdgeSession } from './edge-state.ts';
import type { Payload } from './metric.ts';
import { decodePayload } from './payload.ts';
import type { Instant, Publication } from './publication.ts';
import { parseTopic, type SparkplugTopic } from './topic.ts';

/** The title of a test of what the specification demands under these ids. */
export function keeps(ids: string, what: string): string {
  return `${what} (${ids.trim().split(/\s+/).join(', ')})`;
}

/** A message with its topic and payload read. */
export interface SeenMessage {
  readonly topic: SparkplugTopic;
  readonly payload: Payload;
  readonly raw: Publication;
}

export function see(raw: Publication): SeenMessage {
  const topic = parseTopic(raw.topic);
  const payload = decodePayload(raw.payload);
  assert.ok(topic.ok && payload.ok, `${raw.topic} can be read`);
  return { topic: topic.value, payload: payload.value, raw };
}

type WithoutTime<T> = T extends unknown ? Omit<T, 'at'> : never;

export const START_MS = 1_700_000_000_000;

/** A clock that goes on by `stepMs` with each look, both ways of telling the time together. */
export class TestClock {
  #elapsedMs = 0;

  advance(ms: number): void {
    this.#elapsedMs += ms;
  }

  now(): Instant {
    return { wallMs: START_MS + this.#elapsedMs, monotonicMs: this.#elapsedMs };
  }
}

/** Drives an edge node's session and remembers what it did. */
export class EdgeDriver {
  session: EdgeSession;
  readonly clock: TestClock;
  readonly effects: EdgeEffect[] = [];

  constructor(options: Partial<EdgeOptions> = {}, clock = new TestClock(), bdSeq?: number) {
    this.clock = clock;
    const defaults = { group: 'g', node: 'n', serverCount: 1, rebirthIntervalMs: 1000 };
    this.session = createEdgeSession({ ...defaults, ...options }, bdSeq);
  }

  do(input: WithoutTime<EdgeInput>): readonly EdgeEffect[] {
    const step = stepEdge(this.session, { ...input, at: this.clock.now() } as EdgeInput);
    this.session = step.session;
    this.effects.push(...step.effects);
    return step.effects;
  }

  /** What the input makes the session publish. */
  sent(input: WithoutTime<EdgeInput>): SeenMessage[] {
    return publications(this.do(input)).map(see);
  }

  connect(): readonly EdgeEffect[] {
    return [this.do({ kind: 'connect' }), this.do({ kind: 'connected' })].flat();
  }

  /** Connects until born; returns the births. */
  bear(): SeenMessage[] {
    this.connect();
    return this.sent({ kind: 'subscribed' });
  }

  define(metrics: readonly MetricDefinition[], initial: readonly Reading[] = []): SeenMessage[] {
    return this.sent({ kind: 'define', metrics, initial });
  }

  defineDevice(
    device: string,
    metrics: readonly MetricDefinition[],
    initial: readonly Reading[] = [],
  ): SeenMessage[] {
    return this.sent({ kind: 'define', device, metrics, initial });
  }

  deliver(topic: string, payload: Uint8Array, retained = false): readonly EdgeEffect[] {
    return this.do({ kind: 'delivery', message: { topic, payload, retained } });
  }

  reading(name: string, value: Reading['value'], rest: Partial<Reading> = {}): Reading {
    const { wallMs } = this.clock.now();
    return { name, value, timestampMs: wallMs, quality: 'good', ...rest };
  }
}

export function publications(effects: readonly { kind: string }[]): Publication[] {
  return effects.flatMap((effect) =>
    effect.kind === 'publish' ? [(effect as unknown as { message: Publication }).message] : [],
  );
}

/** The verb and device of each message, as `DDATA/d`. */
export function verbs(messages: readonly SeenMessage[]): string[] {
  return messages.map(({ topic }) =>
    'device' in topic ? `${topic.kind}/${topic.device}` : topic.kind,
  );
}
