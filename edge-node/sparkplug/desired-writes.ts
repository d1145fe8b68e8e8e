import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import type { Failure } from '#shared/basics/result.ts';
import { overheardWrites } from '#shared/sparkplug/host-commands.ts';
import type { HostNode } from '#shared/sparkplug/host-node-state.ts';
import type { MetricValue } from '#shared/sparkplug/metric.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import { formatPointer } from '#shared/twin/document/json-pointer.ts';
import type { TwinStore } from '../twins/twin-store.ts';

export interface DesiredWritesOptions {
  readonly store: Pick<TwinStore, 'change'>;
  readonly clock: Clock;
  readonly events: Events;
}

export interface DeviceCommand {
  /** As far as it is known. */
  readonly node: HostNode | undefined;
  /** Of the edge node: the device's. */
  readonly name: string;
  /** Of the Sparkplug device: the feature's. */
  readonly feature: string;
  readonly payload: Uint8Array;
}

/**
 * Makes what any host application writes over Sparkplug a desired property of the twin, by
 * `sparkplug`. The device has set its output already; without this, what was desired before would
 * still stand, and be set again when the device comes back. So there is one truth, the twin's, with
 * a version, an author and the device's answer.
 */
export class DesiredWrites {
  readonly #options: DesiredWritesOptions;

  constructor(options: DesiredWritesOptions) {
    this.#options = options;
  }

  take({ node, name, feature, payload }: DeviceCommand): void {
    const { writes, refused } = overheardWrites(node, { device: feature, payload });
    for (const failure of refused) this.#refuse(name, failure);
    for (const write of writes) {
      const value = toJson(write.value);
      if (value !== undefined) this.#desire({ name, feature, property: write.name, value });
      else {
        const message = `the value for ${write.name} is no number, text or boolean`;
        this.#refuse(name, { code: 'value-mismatch', message });
      }
    }
  }

  #desire({ name: device, feature, property, value }: DesiredWrite): void {
    const { store, clock, events } = this.#options;
    const path = formatPointer(['features', feature, 'desiredProperties', property]);
    const edit = { op: 'put', path, value } as const;
    const input = { kind: 'edited', nowMs: clock.nowMs(), by: 'sparkplug', edit } as const;
    try {
      const written = store.change(device, input);
      if (written.ok) events.record('info', 'sparkplug-written', { device, path, value });
      else this.#refuse(device, written.error);
    } catch (error) {
      events.record('error', 'commit-failed', { device, reason: (error as Error).message });
    }
  }

  #refuse(device: string, { code, message }: Failure): void {
    const facts = { device, reason: code, message };
    this.#options.events.record('warn', 'sparkplug-write-refused', facts);
  }
}

interface DesiredWrite {
  readonly name: string;
  readonly feature: string;
  readonly property: string;
  readonly value: JsonValue;
}

function toJson(value: MetricValue): JsonValue | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'boolean' || typeof value === 'string' ? value : undefined;
}
