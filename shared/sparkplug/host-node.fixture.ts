import assert from 'node:assert/strict';
import {
  defaultHostNodeOptions,
  type HostNode,
  type HostNodeEffect,
  type HostNodeOptions,
} from './host-node-state.ts';
import { HostNodes } from './host-nodes.ts';
import type { Metric, Payload } from './metric.ts';
import { encodePayload } from './payload.ts';
import { publications, type SeenMessage, START_MS, see, TestClock } from './session.fixture.ts';

const ADDRESS = { group: 'g', node: 'n' };

export function metric(name: string, value: number | null, alias?: bigint): Metric {
  const wire = value === null ? null : ({ kind: 'double', value } as const);
  const rest = alias === undefined ? {} : { alias };
  return { name, ...rest, datatype: 'Double', timestampMs: START_MS, value: wire };
}

export function bdSeq(value: number): Metric {
  return { name: 'bdSeq', datatype: 'Int64', value: { kind: 'long', value: BigInt(value) } };
}

/** A host application that hears of one edge node, `g/n`. */
export class HostNodeDriver {
  readonly clock = new TestClock();
  readonly nodes: HostNodes;

  constructor(options: Partial<HostNodeOptions> = {}) {
    this.nodes = new HostNodes({ nodesMax: 3, node: { ...defaultHostNodeOptions, ...options } });
  }

  get node(): HostNode {
    const node = this.nodes.get(ADDRESS);
    assert.ok(node !== undefined, 'the edge node is known');
    return node;
  }

  /** Sends a message as `g/n`, its time the clock's. */
  hear(verb: string, payload: Partial<Payload>): readonly HostNodeEffect[] {
    const [kind, device] = verb.split('/');
    const topic = `spBv1.0/g/${kind}/n${device === undefined ? '' : `/${device}`}`;
    const { wallMs } = this.clock.now();
    return this.raw(topic, encodePayload({ timestampMs: wallMs, metrics: [], ...payload }));
  }

  raw(topic: string, payload: Uint8Array, retained = false): readonly HostNodeEffect[] {
    const delivered = this.nodes.deliver({ topic, payload, retained }, this.clock.now());
    return delivered?.effects ?? [];
  }

  tick(afterMs = 0): readonly HostNodeEffect[] {
    this.clock.advance(afterMs);
    return this.nodes.tick(ADDRESS, this.clock.now()).effects;
  }

  /** NBIRTH with `x` (alias 1), then a DBIRTH of `a` with `t` (alias 2): seq 0 and 1. */
  bear(session = 0): readonly HostNodeEffect[] {
    return [
      this.hear('NBIRTH', { seq: 0, metrics: [bdSeq(session), metric('x', 1, 1n)] }),
      this.hear('DBIRTH/a', { seq: 1, metrics: [metric('t', 20, 2n)] }),
    ].flat();
  }
}

/** The kinds of effects, refusals by their code, those to publish by their verb. */
export function kinds(effects: readonly HostNodeEffect[]): string[] {
  return effects.map((effect) => {
    if (effect.kind === 'refused') return effect.failure.code;
    return effect.kind === 'publish' ? see(effect.message).topic.kind : effect.kind;
  });
}

export function requests(effects: readonly HostNodeEffect[]): SeenMessage[] {
  return publications(effects).map(see);
}
