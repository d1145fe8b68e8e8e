import type { Thing } from '#shared/twin/document/thing.ts';
import { nameSchema } from '#shared/wire/names.ts';
import type { ApiOptions } from './api.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import type { Role } from './route.ts';

/** Who asks, and what they may do. */
export interface Caller {
  /** What history says of who wrote. */
  readonly name: string;
  readonly role: Role;
  /** Whether nobody may ask there without a token. */
  readonly needsToken: boolean;
  /** The edge node that passed the request on; it is not passed on again. */
  readonly via?: string;
}

/** One request of a route, with what answers it. */
export interface Call {
  readonly options: ApiOptions;
  readonly request: Request;
  readonly caller: Caller;
  readonly query: URLSearchParams;
  /** The path, decoded. */
  readonly segments: readonly string[];
  /** Of the path, by the names they have in the route. */
  readonly params: Readonly<Record<string, string>>;
  /** How many readers watch this node's things. */
  readonly streams: { open: number };
  /** Ends the connection. */
  readonly cutOff: () => void;
}

export interface NamedThing {
  readonly thingId: string;
  /** `undefined` where the id is of no thing that could be here. */
  readonly device: string | undefined;
}

/** The thing that a request names. */
export function namedThing({ params, options }: Pick<Call, 'params' | 'options'>): NamedThing {
  const thingId = params.thingId ?? '';
  return { thingId, device: deviceOfId(thingId, options.group) };
}

/** The device of a thing's id, `group:device`. */
export function deviceOfId(thingId: string, group: string): string | undefined {
  const [namespace, name = '', ...rest] = thingId.split(':');
  const isHere = namespace === group && rest.length === 0 && nameSchema.safeParse(name).success;
  return isHere ? name : undefined;
}

/** Where the path goes on within the thing. */
export function keysWithin({ segments }: Pick<Call, 'segments'>): readonly string[] {
  return segments.slice(4);
}

/** The thing that a request is about, and its device. */
export function existing(call: Pick<Call, 'params' | 'options'>): { device: string; thing: Thing } {
  const { thingId, device } = namedThing(call);
  const thing = device === undefined ? undefined : call.options.twins.get(device);
  if (device === undefined || thing === undefined) {
    throw new ApiFailure(apiErrors.thingNotFound(thingId));
  }
  return { device, thing };
}
