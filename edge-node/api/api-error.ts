import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** An error as Eclipse Ditto's HTTP API shows it. */
export interface ApiError {
  readonly status: ContentfulStatusCode;
  readonly error: string;
  readonly message: string;
  /** The mend. */
  readonly description: string;
}

export const apiErrors = {
  notFound: (path: string): ApiError => ({
    status: 404,
    error: 'api:path.notfound',
    message: `There is nothing at ${path}.`,
    description: 'See /api/2/things, /api/ledger and, for the state of the node, /status.',
  }),
  methodNotAllowed: (method: string, path: string): ApiError => ({
    status: 405,
    error: 'api:method.notallowed',
    message: `${method} is not supported at ${path}.`,
    description: 'See the Allow header for what is.',
  }),
  thingNotFound: (thingId: string): ApiError => ({
    status: 404,
    error: 'things:thing.notfound',
    message: `There is no thing ${thingId} here.`,
    description: 'GET /api/2/things lists the things this node hosts.',
  }),
  bodyInvalid: (reason: string): ApiError => ({
    status: 400,
    error: 'json:invalid',
    message: `The body is not valid: ${reason}.`,
    description: 'Send a JSON object.',
  }),
  bodyTooLarge: (sizeBytesMax: number): ApiError => ({
    status: 413,
    error: 'api:body.toolarge',
    message: 'The body is too large.',
    description: `Send at most ${sizeBytesMax} bytes.`,
  }),
  mediaTypeUnsupported: (mediaType: string): ApiError => ({
    status: 415,
    error: 'api:mediatype.unsupported',
    message: 'The body has the wrong media type.',
    description: `Send it as ${mediaType}.`,
  }),
  internal: (): ApiError => ({
    status: 500,
    error: 'api:internalerror',
    message: 'The node failed to answer.',
    description: "The node's log says why.",
  }),
};

/** The error as an answer, under its own status. */
export function answerError(context: Context, error: ApiError): Response {
  return context.json(error, error.status);
}
