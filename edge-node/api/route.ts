import type { z } from 'zod';
import type { Call } from './call.ts';
import type { QueryParameter } from './query-parameter.ts';

export const methods = ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'] as const;
export type Method = (typeof methods)[number];

/** What a caller must be allowed to do; who may write may read. */
export type Role = 'read' | 'write';

/** Schema by media type. */
export type Content = Readonly<Record<string, z.ZodType>>;

/** What can be done at a path: how it is described (OpenAPI 3.1) and what answers it. */
export interface Operation {
  /** The operation's id in the description. */
  readonly id: string;
  readonly summary: string;
  readonly role: Role;
  readonly query?: readonly QueryParameter[];
  /** Without it, a body is passed over. */
  readonly body?: { readonly content: Content; readonly optional?: true };
  /** By status; what is refused is the same everywhere. */
  readonly answers: Readonly<Record<number, { description: string; content?: Content }>>;
  readonly answer: (call: Call) => Response | Promise<Response>;
}

/**
 * One path and what can be done there. `{name}` stands for one segment, `{name+}` at the end for
 * one or more. Where the path has a `{thingId}`, the node that hosts the thing answers.
 */
export interface Route {
  readonly path: string;
  readonly operations: Partial<Readonly<Record<Method, Operation>>>;
}

export interface FoundRoute {
  readonly route: Route;
  /** Segments by the name they have in the route; those of `{name+}` parted by slashes. */
  readonly params: Readonly<Record<string, string>>;
}

/** The routes made ready for finding the one of a path, given by its decoded segments. */
export function createRouter(
  routes: readonly Route[],
): (segments: readonly string[]) => FoundRoute | undefined {
  const patterns = routes.map((route) => ({ route, parts: route.path.slice(1).split('/') }));
  return (segments) => {
    for (const { route, parts } of patterns) {
      const params = match(parts, segments);
      if (params !== undefined) return { route, params };
    }
    return undefined;
  };
}

function match(
  parts: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const isOpen = parts.at(-1)!.endsWith('+}');
  if (isOpen ? segments.length < parts.length : segments.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index]!;
    if (part.endsWith('+}')) params[part.slice(1, -2)] = segments.slice(index).join('/');
    else if (part.startsWith('{')) params[part.slice(1, -1)] = segment;
    else if (part !== segment) return undefined;
  }
  return params;
}

/** What `Allow` says of a route. */
export function allowedMethods({ operations }: Route): string {
  const own = methods.filter((method) => operations[method] !== undefined);
  return [...own, ...(operations.GET === undefined ? [] : ['HEAD']), 'OPTIONS'].join(', ');
}
