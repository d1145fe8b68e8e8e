import type { Quality, Sample } from './sample.ts';

export interface ReportedProperty {
  readonly value: number | null;
  readonly timeMs: number;
  readonly quality: Quality;
}

/** The digital counterpart of one device, as plain data that survives as JSON. */
export interface Twin {
  readonly device: string;
  /** Goes up by one with every change. */
  readonly revision: number;
  /** When the edge node last changed it; its own wall time. */
  readonly modifiedMs: number;
  readonly online: boolean;
  /** UCUM units by property, as the device announced them. */
  readonly units: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Newest sample by property (`feature/property`). */
  readonly reported: Readonly<Record<string, ReportedProperty>>;
}

export type TwinInput =
  | { readonly kind: 'samples'; readonly samples: readonly Sample[]; readonly nowMs: number }
  | {
      readonly kind: 'presence';
      readonly online: boolean;
      readonly units: Readonly<Record<string, string>>;
      readonly nowMs: number;
    }
  | {
      readonly kind: 'attributes';
      readonly attributes: Readonly<Record<string, unknown>>;
      readonly nowMs: number;
    };

/** The twin of a device that has not said anything yet. */
export function newTwin(device: string): Twin {
  return {
    device,
    revision: 0,
    modifiedMs: 0,
    online: false,
    units: {},
    attributes: {},
    reported: {},
  };
}

/** The twin after one input; samples must come in the order of their sequences. */
export function reduceTwin(twin: Twin, input: TwinInput): Twin {
  const next = { ...twin, revision: twin.revision + 1, modifiedMs: input.nowMs };
  switch (input.kind) {
    case 'samples':
      return { ...next, reported: { ...twin.reported, ...newestByProperty(input.samples) } };
    case 'presence':
      return {
        ...next,
        online: input.online,
        // The message a broker sends on a device's death carries none.
        units: input.online ? input.units : twin.units,
      };
    case 'attributes':
      return { ...next, attributes: input.attributes };
  }
}

function newestByProperty(samples: readonly Sample[]): Record<string, ReportedProperty> {
  const newest: Record<string, ReportedProperty> = {};
  for (const { property, value, timeMs, quality } of samples) {
    newest[property] = { value, timeMs, quality };
  }
  return newest;
}
