import type { Thing } from '#shared/twin/document/thing.ts';
import type { ApiOptions } from './api.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import type { Resource } from './resource.ts';

/** One request of a resource, with what answers it. */
export interface Call<Kind extends Resource['kind'] = Resource['kind']> {
  readonly options: ApiOptions;
  readonly resource: Extract<Resource, { kind: Kind }>;
  readonly request: Request;
  readonly query: URLSearchParams;
}

type OfThing = Exclude<Resource, { kind: 'list' }>;

/** The thing that a request is about, and its device. */
export function existing(
  { twins }: Pick<ApiOptions, 'twins'>,
  { thingId, device }: OfThing,
): { device: string; thing: Thing } {
  const thing = device === undefined ? undefined : twins.get(device);
  if (device === undefined || thing === undefined) {
    throw new ApiFailure(apiErrors.thingNotFound(thingId));
  }
  return { device, thing };
}
