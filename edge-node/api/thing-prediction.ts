import { isoTime } from '#shared/twin/document/iso-time.ts';
import { type JsonObject, ownValue } from '#shared/twin/document/json.ts';
import type { Thing } from '#shared/twin/document/thing.ts';
import { type Explanation, explainThing, type Reason } from '#shared/twin/document/why.ts';
import type { FieldSelection } from '#shared/twin/query/field-selector.ts';
import { type PropertyAnswer, propertyAnswer } from '../twins/prediction/property-answer.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import type { ApiOptions } from './api.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, existing } from './call.ts';
import { readTime } from './request-facts.ts';

/** What `fields` names to have the answers shown with the thing. */
const FIELD = '_predictions';

interface When {
  /** Now where it is left out. */
  readonly atMs?: number | undefined;
  readonly nowMs: number;
}

/**
 * What the twin takes one property of a feature to be, or each of them, now or `at` another time:
 * value, age, expected error and where that comes from.
 */
export function readPrediction(call: Call): JsonObject {
  const { twins, clock } = call.options;
  const { featureId: feature = '', propertyId: property } = call.params;
  const { thing } = existing(call);
  const when = { atMs: readTime(call.query, 'at'), nowMs: clock.nowMs() };
  const answers = featureAnswers(twins, { thing, feature }, when);
  const found = property === undefined ? answers : ownValue(answers ?? {}, property);
  if (found !== undefined) return found as JsonObject;
  const named = property === undefined ? [] : ['properties', property];
  throw new ApiFailure(apiErrors.partNotFound(['features', feature, ...named]));
}

/** A thing's document, with the answers to all its device reports where `fields` names them. */
export function withPredictions(
  document: JsonObject,
  { twins, thing, fields }: { twins: TwinStore; thing: Thing; fields: FieldSelection },
  when: When,
): JsonObject {
  if (fields === 'all' || !fields.has(FIELD)) return document;
  const features = Object.keys(thing.features).flatMap((feature) => {
    const properties = featureAnswers(twins, { thing, feature }, when);
    return properties === undefined ? [] : [[feature, { properties }] as const];
  });
  return { ...document, [FIELD]: { features: Object.fromEntries(features) } };
}

/**
 * Why what is desired is where it is; where what is reported may have changed unheard, with how old
 * it is and how far off it may be.
 */
export function explainWithAge(
  { twins, clock }: Pick<ApiOptions, 'twins' | 'clock'>,
  thing: Thing,
): Explanation[] {
  const device = deviceOf(thing);
  return explainThing(thing).map((explanation) => {
    const { path: property, state, reasons } = explanation;
    if (state === 'in-step') return explanation;
    const answer = propertyAnswer(twins, { device, property, nowMs: clock.nowMs() });
    const stale = answer && staleness(answer, thing.presence.online);
    return stale === undefined ? explanation : { ...explanation, reasons: [...reasons, stale] };
  });
}

function staleness(answer: PropertyAnswer, online: boolean): Reason | undefined {
  const { errorBasis, expectedError, tolerance, ageMs, reportedMs } = answer;
  const isKnown = errorBasis === 'reported' || errorBasis === 'tolerance';
  // Of a property that is sent whole nothing is missed while the device is online.
  if (isKnown || (tolerance === undefined && online)) return undefined;
  const age = `what is reported is ${Math.round(ageMs / 1000)} s old`;
  const off = expectedError === null ? '' : ` and may be off by ${expectedError.toPrecision(2)}`;
  return { code: 'stale', sinceMs: reportedMs, message: `${age}${off}` };
}

/** By property; `undefined` where the device reports none of the feature. */
function featureAnswers(
  twins: TwinStore,
  { thing, feature }: { thing: Thing; feature: string },
  when: When,
): JsonObject | undefined {
  const device = deviceOf(thing);
  const properties = Object.hasOwn(thing.features, feature)
    ? Object.keys(thing.features[feature]!.properties)
    : [];
  const answers = properties.flatMap((name) => {
    const property = `${feature}/${name}`;
    const answer = propertyAnswer(twins, { device, property, ...when });
    return answer === undefined ? [] : [[name, shown(answer, thing.units[property])] as const];
  });
  return answers.length === 0 ? undefined : Object.fromEntries(answers);
}

function shown(
  { reportedMs, timeMs, expectedError, errorBasis, ...answer }: PropertyAnswer,
  unit: string | undefined,
): JsonObject {
  const { value, quality, origin, ageMs, predictor, tolerance } = answer;
  return {
    ...{ value, time: isoTime(timeMs), origin, quality, reported: isoTime(reportedMs), ageMs },
    ...{ expectedError, errorBasis, predictor },
    ...(tolerance === undefined ? {} : { tolerance }),
    ...(unit === undefined ? {} : { unit }),
  };
}
