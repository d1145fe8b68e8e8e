import { checkJson, ownValue, propertyLimits } from './json.ts';
import {
  type Feature,
  type ReportedProperty,
  type ReportSource,
  splitPath,
  type Thing,
} from './thing.ts';
import {
  type Change,
  commitChange,
  PROPERTIES_PER_THING_MAX,
  propertyPointer,
  type ReportedSample,
  type ThingInput,
  type ThingStep,
} from './thing-step.ts';

const newFeature: Feature = { properties: {}, desired: {} };

/**
 * The thing after a device's samples, in any order and however often they come: per property the
 * one of the newest generation and sequence stands. A sample that is older than what is known
 * changes nothing here; that it is kept as history is the store's part.
 */
export function reportSamples(
  thing: Thing,
  { nowMs, epoch, generation, samples }: Extract<ThingInput, { kind: 'reported' }>,
): ThingStep {
  const draft = new Draft(thing);
  for (const sample of samples) {
    draft.report(sample, { epoch, generation, sequence: sample.sequence }, nowMs);
  }
  return draft.finish(nowMs);
}

/** Copies each feature that changes once, however many of its properties do. */
class Draft {
  readonly #thing: Thing;
  /** Changed features; all of their reported properties. */
  readonly #features = new Map<string, Map<string, ReportedProperty>>();
  readonly #changed = new Set<string>();
  readonly #refused = new Set<string>();
  #room: number | undefined;

  constructor(thing: Thing) {
    this.#thing = thing;
  }

  report(sample: ReportedSample, source: ReportSource, receivedMs: number): void {
    const { feature, property } = splitPath(sample.property);
    const known = this.#known(feature, property);
    if (known?.source !== undefined && !isNewer(source, known.source)) return;
    if (!isSmallValue(sample) || (known === undefined && !this.#takeRoom())) {
      this.#refused.add(sample.property);
      return;
    }
    const { value, timeMs, quality } = sample;
    const properties = this.#features.get(feature) ?? this.#copyOf(feature);
    properties.set(property, { value, timeMs, receivedMs, quality, source });
    this.#changed.add(sample.property);
  }

  finish(nowMs: number): ThingStep {
    const refused =
      this.#refused.size === 0
        ? []
        : [{ kind: 'refuse-reports', properties: [...this.#refused] } as const];
    if (this.#changed.size === 0) return { thing: this.#thing, effects: refused };
    const features = { ...this.#thing.features, ...Object.fromEntries(this.#changedFeatures()) };
    const next: Thing = { ...this.#thing, exists: true, features };
    const step = commitChange(this.#thing, next, {
      nowMs,
      by: 'device',
      changes: [...this.#changed].map((path) => this.#changeOf(path)),
    });
    return { thing: step.thing, effects: [...step.effects, ...refused] };
  }

  #known(feature: string, property: string): ReportedProperty | undefined {
    const draft = this.#features.get(feature);
    if (draft !== undefined) return draft.get(property);
    return ownValue(ownValue(this.#thing.features, feature)?.properties ?? {}, property);
  }

  #copyOf(feature: string): Map<string, ReportedProperty> {
    const before = ownValue(this.#thing.features, feature)?.properties ?? {};
    const copy = new Map(Object.entries(before));
    this.#features.set(feature, copy);
    return copy;
  }

  #changeOf(path: string): Change {
    const { feature, property } = splitPath(path);
    const { value } = this.#known(feature, property)!;
    return { path: propertyPointer(feature, property), value: value! };
  }

  *#changedFeatures(): Generator<[string, Feature]> {
    for (const [name, changed] of this.#features) {
      const { removed: _, ...before } = ownValue(this.#thing.features, name) ?? newFeature;
      yield [name, { ...before, properties: Object.fromEntries(changed) }];
    }
  }

  #takeRoom(): boolean {
    this.#room ??= PROPERTIES_PER_THING_MAX - countReported(this.#thing.features);
    this.#room -= 1;
    return this.#room >= 0;
  }
}

/** How many reported properties the features hold, those included that were deleted. */
export function countReported(features: Thing['features']): number {
  return Object.values(features).reduce(
    (count, { properties }) => count + Object.keys(properties).length,
    0,
  );
}

function isSmallValue({ value }: ReportedSample): boolean {
  return value === null || checkJson(value, propertyLimits).ok;
}

/** By generation, then sequence; the names of epochs only make the order complete. */
function isNewer(source: ReportSource, than: ReportSource): boolean {
  if (source.generation !== than.generation) return source.generation > than.generation;
  if (source.epoch !== than.epoch) return source.epoch > than.epoch;
  return source.sequence > than.sequence;
}
