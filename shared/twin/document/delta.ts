import { type JsonValue, jsonEqual } from './json.ts';
import {
  type Acknowledgement,
  type DesiredEntry,
  desiredEntries,
  isInProgress,
  type Thing,
} from './thing.ts';

/**
 * How far a desired value has come. `in-step`: reported as desired, within tolerance, or taken by a
 * device that does not report it. `unseen`: no answer yet. `in-progress`: the device is at it.
 * `rejected`: it will not. `unconfirmed`: it says done, and has not reported since. `differs`: it
 * says done, and reports something else.
 */
export type DeltaState =
  | 'in-step'
  | 'unseen'
  | 'in-progress'
  | 'rejected'
  | 'unconfirmed'
  | 'differs';

export interface DeltaEntry {
  /** `feature/property`. */
  readonly path: string;
  readonly desired: JsonValue;
  readonly version: number;
  /** Left out where nothing is reported. */
  readonly reported?: JsonValue;
  readonly state: DeltaState;
  /** Whether the device answered this version, whatever it said. */
  readonly acknowledged: boolean;
  /** When the value was desired; left out once in step. */
  readonly pendingSinceMs?: number;
}

/** How far a number may be off what was desired, by `feature/property`; 0 where not said. */
export type Tolerances = Readonly<Record<string, number>>;

/** Every desired property of a thing beside what is reported of it, by path. */
export function thingDelta(thing: Thing, tolerances: Tolerances = {}): DeltaEntry[] {
  return desiredEntries(thing).map((entry) => deltaEntry(entry, toleranceOf(tolerances, entry)));
}

export function toleranceOf(tolerances: Tolerances, { path }: { path: string }): number {
  return Object.hasOwn(tolerances, path) ? tolerances[path]! : 0;
}

export function deltaEntry(entry: DesiredEntry, tolerance: number): DeltaEntry {
  const { path, desired, reported } = entry;
  const state = stateOf(entry, tolerance);
  return {
    path,
    desired: desired.value,
    version: desired.version,
    ...(reported?.value === undefined ? {} : { reported: reported.value }),
    state,
    acknowledged: desired.acknowledged !== undefined,
    ...(state === 'in-step' ? {} : { pendingSinceMs: desired.timeMs }),
  };
}

function stateOf({ desired, reported }: DesiredEntry, tolerance: number): DeltaState {
  const { value, acknowledged } = desired;
  const known = reported?.value;
  if (known !== undefined && isWithin(known, value, tolerance)) return 'in-step';
  if (acknowledged === undefined) return 'unseen';
  if (isInProgress(acknowledged)) return 'in-progress';
  if (isRejection(acknowledged)) return 'rejected';
  if (known === undefined) {
    return isWithin(acknowledged.value, value, tolerance) ? 'in-step' : 'differs';
  }
  return reported!.receivedMs < acknowledged.receivedMs ? 'unconfirmed' : 'differs';
}

/** Whether the device refused; codes of redirection have no meaning here and count as refusal. */
function isRejection({ ac }: Acknowledgement): boolean {
  return ac >= 300;
}

function isWithin(value: JsonValue, wanted: JsonValue, tolerance: number): boolean {
  if (typeof value === 'number' && typeof wanted === 'number') {
    return Math.abs(value - wanted) <= tolerance;
  }
  return jsonEqual(value, wanted);
}
