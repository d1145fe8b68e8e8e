import type { JsonObject } from '#shared/twin/document/json.ts';
import { selectFields } from '#shared/twin/query/field-selector.ts';
import { deviceOf } from '../twins/thing-facts.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import type { Call } from './call.ts';
import { readFields } from './request-facts.ts';
import { shownThing } from './thing.ts';

/** Things in one answer without paging. */
const LISTED_MAX = 1000;

/** The things that a request lists, as they are here. */
export function listThings({ options, query }: Pick<Call, 'options' | 'query'>): JsonObject[] {
  const { twins, clock, seenLive } = options;
  const fields = readFields(query);
  const devices = readDevices(query, options.group);
  const things =
    devices === undefined
      ? twins.all()
      : devices.map((device) => twins.get(device)).filter((thing) => thing !== undefined);
  if (things.length > LISTED_MAX) throw new ApiFailure(apiErrors.idsRequired(LISTED_MAX));
  const nowMs = clock.nowMs();
  const shown = things.map((thing) => shownThing(thing, nowMs, seenLive?.(deviceOf(thing))));
  return fields === 'all' ? shown : shown.map((thing) => selectFields(thing, fields));
}

/** Of the ids that are asked for, in their order, those of this group; `undefined`: all. */
export function readDevices(query: URLSearchParams, group: string): string[] | undefined {
  const ids = query.get('ids')?.split(',');
  if (ids !== undefined && ids.length > LISTED_MAX) {
    throw new ApiFailure(apiErrors.queryInvalid('ids', `name at most ${LISTED_MAX} things`));
  }
  if (!hasNamespace(query, group)) return [];
  const prefix = `${group}:`;
  return ids?.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
}

/** Whether things of this group are asked for, by `namespaces`. */
export function hasNamespace(query: URLSearchParams, group: string): boolean {
  const names = query.get('namespaces')?.split(',');
  return names === undefined || names.some((name) => name.trim() === group);
}
