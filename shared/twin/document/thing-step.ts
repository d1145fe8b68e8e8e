import type { Failure } from '../../basics/result.ts';
import type { DesiredMessage } from '../../wire/control.ts';
import type { RqlCondition } from '../query/rql.ts';
import type { Sample } from '../sample.ts';
import type { JsonFailure, JsonValue } from './json.ts';
import { formatPointer, type PointerFailure } from './json-pointer.ts';
import { type Acknowledgement, desiredMessage, type Thing, thingContent } from './thing.ts';

/** A sample of any JSON value; sensors give numbers, devices also say other things. */
export type ReportedSample = Omit<Sample, 'value'> & { readonly value: JsonValue };

/** What must hold for an edit to be made; `condition` is asked of the thing as it is. */
export interface EditPrecondition {
  /** If-Match with `"rev:N"`. */
  readonly revision?: number;
  /** If-None-Match with `*`. */
  readonly absent?: true;
  readonly condition?: RqlCondition;
}

/** A change of what stands at a path of the thing, in the words of HTTP. */
export type Edit =
  | { readonly op: 'put'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'merge'; readonly path: string; readonly patch: JsonValue }
  | { readonly op: 'delete'; readonly path: string };

export type ThingInput =
  | {
      readonly kind: 'reported';
      readonly nowMs: number;
      readonly epoch: string;
      /** Of the epoch: see `ReportSource`. */
      readonly generation: number;
      readonly samples: readonly ReportedSample[];
    }
  | {
      readonly kind: 'presence';
      readonly nowMs: number;
      readonly online: boolean;
      /** Of everything the device measures; of no meaning when it goes. */
      readonly units: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'acknowledged';
      readonly nowMs: number;
      /** Of the desired message that is answered. */
      readonly epoch: string;
      readonly acknowledgements: readonly (Acknowledgement & { readonly path: string })[];
    }
  | {
      readonly kind: 'edited';
      readonly nowMs: number;
      /** Who: a person's or a rule's name. */
      readonly by: string;
      readonly edit: Edit;
      readonly precondition?: EditPrecondition;
    };

/** One path that changed; without a value it is gone. */
export interface Change {
  /**
   * A pointer into the thing's content; `/online` for presence, and under `/_metadata` what was
   * acknowledged.
   */
  readonly path: string;
  readonly value?: JsonValue;
}

/** One revision: applied in turn, the changes of all entries give the thing's content. */
export interface HistoryEntry {
  readonly thingId: string;
  readonly revision: number;
  readonly timeMs: number;
  /** `device`, or who edited. */
  readonly by: string;
  readonly changes: readonly Change[];
}

export type ThingEffect =
  /** To be committed with the thing. */
  | { readonly kind: 'record'; readonly entry: HistoryEntry }
  /** Once committed: to the device, retained. */
  | { readonly kind: 'publish-desired'; readonly message: DesiredMessage }
  /** Once committed: to whoever watches the thing. */
  | { readonly kind: 'notify'; readonly entry: HistoryEntry }
  /** Reports the thing has no room for, or that are no values: counted and logged. */
  | { readonly kind: 'refuse-reports'; readonly properties: readonly string[] }
  /** Acknowledgements of what is not desired any more, or was never. */
  | { readonly kind: 'ignore-acknowledgements'; readonly paths: readonly string[] };

export type ThingRejection =
  | JsonFailure
  | PointerFailure
  | Failure<
      | 'precondition-failed'
      | 'override-needs-revision'
      | 'thing-not-found'
      | 'path-not-found'
      | 'thing-invalid'
      | 'too-many-properties'
      /** All things together take what the host has for them. */
      | 'no-room'
      | 'patch-regex-refused'
    >;

export interface ThingStep {
  readonly thing: Thing;
  readonly effects: readonly ThingEffect[];
}

/** Properties of one thing, reported and desired each; memory is bounded by it. */
export const PROPERTIES_PER_THING_MAX = 1000;

/** The step to `next`, one revision on, with the effects that every change has. */
export function commitChange(
  before: Thing,
  next: Thing,
  { nowMs, by, changes }: { nowMs: number; by: string; changes: readonly Change[] },
): ThingStep {
  const revision = before.revision + 1;
  const createdMs = before.exists ? before.createdMs : nowMs;
  const thing: Thing = { ...next, revision, createdMs, modifiedMs: nowMs };
  // What makes a thing is told whole.
  const told = changes.filter(({ path }) => path === '/online');
  const created = !before.exists && thing.exists;
  const entry: HistoryEntry = {
    thingId: thing.thingId,
    revision,
    timeMs: nowMs,
    by,
    changes: created ? [{ path: '', value: thingContent(thing) }, ...told] : changes,
  };
  const wanted: ThingEffect[] =
    thing.desiredVersion === before.desiredVersion
      ? []
      : [{ kind: 'publish-desired', message: desiredMessage(thing) }];
  return { thing, effects: [{ kind: 'record', entry }, ...wanted, { kind: 'notify', entry }] };
}

/** The path of a reported property in the thing's content. */
export function propertyPointer(feature: string, property: string): string {
  return formatPointer(['features', feature, 'properties', property]);
}
