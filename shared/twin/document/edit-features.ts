import { fail, ok, type Result } from '../../basics/result.ts';
import { DESIRED_PROPERTIES_MAX } from '../../wire/control.ts';
import { checkJson, type JsonValue, jsonEqual, ownValue, propertyLimits } from './json.ts';
import { countReported } from './report-samples.ts';
import {
  type DesiredProperty,
  type Feature,
  isInProgress,
  type OverwrittenValue,
  type ReportedProperty,
  type Thing,
} from './thing.ts';
import type { ContentFeature } from './thing-content.ts';
import { PROPERTIES_PER_THING_MAX, type ThingRejection } from './thing-step.ts';

export interface FeatureEditing {
  readonly nowMs: number;
  readonly by: string;
  /** Whether what the device reported may be written over. */
  readonly maySeize: boolean;
  /** Whether the edit speaks of a path of the content. */
  readonly isAddressed: (path: readonly string[]) => boolean;
}

type EditedFeatures = Pick<Thing, 'features' | 'desiredVersion'>;

const noFeature: Feature = { properties: {}, desired: {} };
const noContent: ContentFeature = { properties: {}, desiredProperties: {} };

/** Times, versions and origins of the features that the edit leaves. */
export function editFeatures(
  thing: Thing,
  content: Readonly<Record<string, ContentFeature>>,
  editing: FeatureEditing,
): Result<EditedFeatures, ThingRejection> {
  const version = thing.desiredVersion + 1;
  const features = new Map<string, Feature>();
  for (const name of new Set([...Object.keys(thing.features), ...Object.keys(content)])) {
    const before = ownValue(thing.features, name) ?? noFeature;
    const wanted = ownValue(content, name);
    const { properties, desiredProperties, definition } = wanted ?? noContent;
    const reported = editReported(before, properties, { ...editing, feature: name });
    if (!reported.ok) return reported;
    const desired = editDesired(before, desiredProperties, { ...editing, feature: name, version });
    if (!desired.ok) return desired;
    const removed = wanted === undefined;
    if (removed && Object.keys(reported.value).length === 0) continue;
    features.set(name, {
      ...(removed ? { removed } : {}),
      ...(definition === undefined ? {} : { definition }),
      properties: reported.value,
      desired: desired.value,
    });
  }
  const edited = Object.fromEntries(features);
  const tooMany = countProperties(edited);
  if (tooMany !== undefined) return tooMany;
  const desiredVersion = desiredDiffers(thing.features, edited) ? version : thing.desiredVersion;
  return ok({ features: edited, desiredVersion });
}

function editReported(
  { properties }: Feature,
  wanted: Readonly<Record<string, JsonValue>>,
  { nowMs, by, maySeize, feature }: FeatureEditing & { feature: string },
): Result<Feature['properties'], ThingRejection> {
  const edited = new Map<string, ReportedProperty>();
  for (const name of new Set([...Object.keys(properties), ...Object.keys(wanted)])) {
    const before = ownValue(properties, name);
    const value = ownValue(wanted, name);
    if (before !== undefined && jsonEqual(before.value, value)) {
      edited.set(name, before);
      continue;
    }
    const path = `features/${feature}/properties/${name}`;
    if (value !== undefined) {
      const checked = checkJson(value, propertyLimits);
      if (!checked.ok) return fail(checked.error.code, `${path}: ${checked.error.message}`);
    }
    const source = before?.source;
    if (source !== undefined && before?.value !== undefined && !maySeize) {
      const mend = 'name the revision you saw (If-Match) to write over it';
      return fail('override-needs-revision', `the device reported ${path}; ${mend}`);
    }
    const origin = { timeMs: nowMs, receivedMs: nowMs, quality: 'ok' as const };
    const seen = source === undefined ? {} : { source };
    if (value !== undefined) edited.set(name, { value, ...origin, ...seen, writtenBy: by });
    else if (source !== undefined) edited.set(name, { ...origin, source });
  }
  return ok(Object.fromEntries(edited));
}

function editDesired(
  { desired }: Feature,
  wanted: Readonly<Record<string, JsonValue>>,
  editing: FeatureEditing & { feature: string; version: number },
): Result<Feature['desired'], ThingRejection> {
  const { nowMs, by, feature, version } = editing;
  const edited = new Map<string, DesiredProperty>();
  for (const [name, value] of Object.entries(wanted)) {
    const before = ownValue(desired, name);
    const path = ['features', feature, 'desiredProperties', name];
    const again = isRefused(before) && editing.isAddressed(path);
    if (before !== undefined && jsonEqual(before.value, value) && !again) {
      edited.set(name, before);
      continue;
    }
    const checked = checkJson(value, propertyLimits);
    if (!checked.ok) {
      return fail(checked.error.code, `${path.join('/')}: ${checked.error.message}`);
    }
    const overwrote = overwrittenValue(before);
    edited.set(name, {
      value,
      version,
      timeMs: nowMs,
      writtenBy: by,
      ...(overwrote === undefined ? {} : { overwrote }),
    });
  }
  return ok(Object.fromEntries(edited));
}

function isRefused(desired: DesiredProperty | undefined): boolean {
  return (desired?.acknowledged?.ac ?? 0) >= 400;
}

/** What the device had not answered for good by the time it was replaced. */
function overwrittenValue(before: DesiredProperty | undefined): OverwrittenValue | undefined {
  if (before === undefined) return undefined;
  const { value, version, writtenBy, acknowledged } = before;
  const answered = acknowledged !== undefined && !isInProgress(acknowledged);
  return answered ? undefined : { value, version, writtenBy };
}

function countProperties(features: Thing['features']): Result<never, ThingRejection> | undefined {
  const desired = Object.values(features).flatMap((feature) => Object.keys(feature.desired));
  if (
    countReported(features) <= PROPERTIES_PER_THING_MAX &&
    desired.length <= DESIRED_PROPERTIES_MAX
  ) {
    return undefined;
  }
  const most = `${PROPERTIES_PER_THING_MAX} properties, and as many desired`;
  return fail('too-many-properties', `a thing has at most ${most}; delete some first`);
}

function desiredDiffers(before: Thing['features'], after: Thing['features']): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].some((name) => {
    const old = ownValue(before, name)?.desired ?? {};
    const young = ownValue(after, name)?.desired ?? {};
    const paths = new Set([...Object.keys(old), ...Object.keys(young)]);
    return [...paths].some((path) => ownValue(old, path) !== ownValue(young, path));
  });
}
