import { formatPointer } from '#shared/twin/document/json-pointer.ts';
import { nameSchema } from '#shared/wire/names.ts';
import { ApiFailure, apiErrors } from './api-error.ts';

/** What a path under `/api/2/things` names. */
export type Resource =
  | { readonly kind: 'list' }
  | (ThingPath & {
      /** The thing, or what stands at a path of its content. */
      readonly kind: 'content';
      readonly keys: readonly string[];
      /** The same as a pointer. */
      readonly pointer: string;
    })
  | (ThingPath & { readonly kind: 'delta' | 'why' })
  | (ThingPath & { readonly kind: 'timeseries'; readonly property: string })
  | (ThingPath & {
      /** What the twin takes a property to be, or each of the feature's. */
      readonly kind: 'prediction';
      readonly feature: string;
      readonly property?: string;
    })
  | (ThingPath & { readonly kind: 'message'; readonly subject: string });

interface ThingPath {
  readonly thingId: string;
  /** `undefined` where the id is of no thing that could be here. */
  readonly device: string | undefined;
}

/** What each kind of resource can be asked for. */
export const resourceMethods: Readonly<Record<Resource['kind'], readonly string[]>> = {
  list: ['GET', 'HEAD'],
  content: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'],
  delta: ['GET', 'HEAD'],
  why: ['GET', 'HEAD'],
  timeseries: ['GET', 'HEAD'],
  prediction: ['GET', 'HEAD'],
  message: ['POST'],
};

const PARTS_OF_FEATURES = ['definition', 'properties', 'desiredProperties'];

/**
 * Reads a URL's path, still encoded, below `/api/2/things`. Throws {@link ApiFailure} for what is
 * no path of a thing.
 */
export function parseResource(path: string, { prefix, group }: { prefix: string; group: string }) {
  const [thingId, ...keys] = readSegments(path.slice(prefix.length));
  if (thingId === undefined) return { kind: 'list' } satisfies Resource;
  const [namespace, name = '', ...rest] = thingId.split(':');
  const isHere = namespace === group && rest.length === 0 && nameSchema.safeParse(name).success;
  const thing: ThingPath = { thingId, device: isHere ? name : undefined };
  const resource = partOf(thing, keys);
  if (resource === undefined) throw new ApiFailure(apiErrors.notFound(path));
  return resource;
}

function readSegments(path: string): string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  if (trimmed === '') return [];
  return trimmed.split('/').map((encoded) => {
    const segment = decode(encoded);
    if (segment === '') throw new ApiFailure(apiErrors.pathInvalid('two slashes in a row'));
    if (segment?.includes('/') === false) return segment;
    throw new ApiFailure(apiErrors.pathInvalid('a part of it is wrongly encoded, or has a slash'));
  });
}

function decode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined; // the caller says so
  }
}

function partOf(thing: ThingPath, keys: readonly string[]): Resource | undefined {
  const [part, first, second, third, ...rest] = keys;
  if ((part === 'delta' || part === 'why') && first === undefined) return { kind: part, ...thing };
  if (part === 'inbox' && first === 'messages' && second !== undefined) {
    return { kind: 'message', ...thing, subject: keys.slice(2).join('/') };
  }
  if (part === 'features' && second === 'timeseries') {
    if (third === undefined || rest.length > 0) return undefined;
    return { kind: 'timeseries', ...thing, property: `${first}/${third}` };
  }
  if (part === 'features' && second === 'prediction') {
    if (rest.length > 0) return undefined;
    const property = third === undefined ? {} : { property: third };
    return { kind: 'prediction', ...thing, feature: first!, ...property };
  }
  return isContent(keys)
    ? { kind: 'content', ...thing, keys, pointer: formatPointer(keys) }
    : undefined;
}

function isContent([part, , kind]: readonly string[]): boolean {
  if (part === 'features') return kind === undefined || PARTS_OF_FEATURES.includes(kind);
  return part === undefined || part === 'attributes' || part === 'definition';
}
