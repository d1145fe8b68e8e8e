import type { ThingRejection } from '#shared/twin/document/thing-step.ts';
import type { Unanswered } from '../forwarding/forwarder.ts';

/** An error as Eclipse Ditto's HTTP API shows it. */
export interface ApiError {
  readonly status: number;
  readonly error: string;
  readonly message: string;
  /** The mend. */
  readonly description: string;
}

/** Thrown by whatever answers a request, and answered as it says. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly answer: ApiError;

  constructor(answer: ApiError) {
    super(answer.message);
    this.answer = answer;
  }
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
    description: 'GET /api/2/things lists the things there are.',
  }),
  partNotFound: (keys: readonly string[]): ApiError => ({
    status: 404,
    error: `things:${partName(keys)}.notfound`,
    message: `The thing has nothing at /${keys.join('/')}.`,
    description: 'Read the whole thing to see what it has, or put something there.',
  }),
  revisionNotFound: (thingId: string, when: string): ApiError => ({
    status: 404,
    error: 'things:thing.history.notfound',
    message: `Nothing is kept of ${thingId} at ${when}.`,
    description: 'Ask for a revision it had, or for a time after the oldest one that is kept.',
  }),
  thingIdInvalid: (group: string): ApiError => ({
    status: 400,
    error: 'things:id.invalid',
    message: 'This is no id of a thing of this node.',
    description: `Use ${group}:NAME, the name with 1 to 64 of a-z, 0-9 and -.`,
  }),
  tooManyThings: (twinsMax: number): ApiError => ({
    status: 507,
    error: 'things:toomany',
    message: `This node holds ${twinsMax} things, and no more.`,
    description: 'Raise twins.max in its configuration.',
  }),
  idsRequired: (listedMax: number): ApiError => ({
    status: 400,
    error: 'things:ids.required',
    message: `There are more than ${listedMax} things, too many for one answer.`,
    description: `Name up to ${listedMax} with ids=, or page through /api/2/search/things.`,
  }),
  queryInvalid: (name: string, reason: string): ApiError => ({
    status: 400,
    error: `api:${name}.invalid`,
    message: `The parameter ${name} is not valid: ${reason}.`,
    description: 'Correct it, and encode it for URLs where it has other signs than letters.',
  }),
  rqlInvalid: (reason: string): ApiError => ({
    status: 400,
    error: 'rql.expression.invalid',
    message: `The query is not valid: ${reason}.`,
    description: 'Write RQL, for instance eq(attributes/room,"5.31").',
  }),
  headerInvalid: (name: string): ApiError => ({
    status: 400,
    error: 'api:header.invalid',
    message: `The header ${name} is not valid.`,
    description: 'Give "rev:N", with the quotes, or *; for Last-Event-ID the id of an event.',
  }),
  pathInvalid: (reason: string): ApiError => ({
    status: 400,
    error: 'json:pointer.invalid',
    message: `The path is not valid: ${reason}.`,
    description: 'Part it by single slashes, and encode other signs than letters.',
  }),
  urlTooLong: (lengthMax: number): ApiError => ({
    status: 414,
    error: 'api:uri.toolong',
    message: 'The URL is too long.',
    description: `Use at most ${lengthMax} characters.`,
  }),
  sourceForeign: (source: string): ApiError => ({
    status: 403,
    error: 'api:source.foreign',
    message: `Requests by way of ${source.slice(0, 100)} are not answered.`,
    description: 'Use a loopback address, and pages of this node itself.',
  }),
  preconditionFailed: (reason: string): ApiError => ({
    status: 412,
    error: 'things:precondition.failed',
    message: `The precondition does not hold: ${reason}.`,
    description: 'Read the thing again, and decide by what it is now.',
  }),
  bodyInvalid: (reason: string): ApiError => ({
    status: 400,
    error: 'json:invalid',
    message: `The body is not valid: ${reason}.`,
    description: 'Send JSON as the path takes it.',
  }),
  bodyTooLarge: (sizeBytesMax: number): ApiError => ({
    status: 413,
    error: 'api:body.toolarge',
    message: 'The body is too large.',
    description: `Send at most ${sizeBytesMax} bytes.`,
  }),
  tooManyBodies: (): ApiError => ({
    status: 503,
    error: 'api:bodies.toomany',
    message: 'The node is reading too many bodies at once.',
    description: 'Send it again later.',
  }),
  tokenRequired: (reason: string): ApiError => ({
    status: 401,
    error: 'api:token.required',
    message: `The request is not authenticated: ${reason}.`,
    description: 'Send Authorization: Bearer TOKEN; diten token new makes a token.',
  }),
  notAllowed: (name: string): ApiError => ({
    status: 403,
    error: 'api:role.insufficient',
    message: `The token ${name} may only read.`,
    description: 'Use one of role write.',
  }),
  idNotSettable: (): ApiError => ({
    status: 400,
    error: 'things:id.notsettable',
    message: 'A thing that is posted gets its id from the node.',
    description: 'Leave thingId out, or PUT the thing at its id.',
  }),
  encodingUnsupported: (): ApiError => ({
    status: 415,
    error: 'api:encoding.unsupported',
    message: 'The body is compressed.',
    description: 'Send it as it is, without Content-Encoding.',
  }),
  mediaTypeUnsupported: (wanted: string): ApiError => ({
    status: 415,
    error: 'api:mediatype.unsupported',
    message: 'The body has the wrong media type.',
    description: `Send it as ${wanted}.`,
  }),
  seriesTooLong: (reason: string): ApiError => ({
    status: 400,
    error: 'things:timeseries.toolong',
    message: `The series is too long: ${reason}.`,
    description: 'Ask for a shorter range, or for longer steps.',
  }),
  tooManyStreams: (streamsMax: number): ApiError => ({
    status: 503,
    error: 'api:streams.toomany',
    message: `${streamsMax} clients watch this node already.`,
    description: 'End one of them, or ask from time to time instead.',
  }),
  messageTimeout: (thingId: string): ApiError => ({
    status: 408,
    error: 'messages:timeout',
    message: `${thingId} did not reply in time.`,
    description: 'See whether the device is online, or give it more time with timeout=.',
  }),
  tooManyMessages: (reason: string): ApiError => ({
    status: 429,
    error: 'messages:toomany',
    message: `The message was not sent: ${reason}.`,
    description: 'Send it again later.',
  }),
  twinMoving: (thingId: string): ApiError => ({
    status: 503,
    error: 'things:thing.moving',
    message: `Where ${thingId} is, is changing.`,
    description: 'Send it again in a moment.',
  }),
  notPassedOn: (edge: string, { code, reason }: Unanswered): ApiError => ({
    status: { away: 503, busy: 503, silent: 504, refused: 502, 'too-large': 502 }[code],
    error: `forwarding:${code}`,
    message: `The thing is at ${edge}, which did not answer: ${reason}.`,
    description:
      code === 'silent'
        ? 'A change may have been made or not: read the thing, then send it again.'
        : code === 'too-large'
          ? `Ask for less, or ask ${edge} itself.`
          : `Send it again later, or to ${edge} itself.`,
  }),
  notKept: (): ApiError => ({
    status: 503,
    error: 'api:storage.failed',
    message: 'The change was not made: the node cannot write to its disk.',
    description: "See the node's log, make room on its disk, and send it again.",
  }),
  diskFull: (): ApiError => ({
    status: 507,
    error: 'api:storage.full',
    message: "The change was not made: the node's disk is full.",
    description: 'Make room on it, and send it again; the node goes on by itself.',
  }),
  internal: (): ApiError => ({
    status: 500,
    error: 'api:internalerror',
    message: 'The node failed to answer.',
    description: "The node's log says why.",
  }),
};

export function toResponse(
  error: ApiError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(error, { status: error.status, headers });
}

/** The answer to an edit that was refused, of what stands at a path of a thing. */
export function rejectionToError(
  { code, message }: ThingRejection,
  { thingId, keys }: { thingId: string; keys: readonly string[] } = { thingId: '', keys: [] },
): ApiError {
  switch (code) {
    case 'thing-not-found':
      return apiErrors.thingNotFound(thingId);
    case 'path-not-found':
      return apiErrors.partNotFound(keys);
    case 'precondition-failed':
      return apiErrors.preconditionFailed(message);
    case 'pointer-invalid':
      return apiErrors.pathInvalid(message);
    case 'override-needs-revision':
      return {
        status: 428,
        error: 'things:override.needsrevision',
        message: `The edit was refused: ${message}.`,
        description: 'Send If-Match with the ETag of the thing you read.',
      };
    case 'json-too-large':
    case 'json-too-many-values':
    case 'too-many-properties':
      return {
        status: 413,
        error: 'things:thing.toolarge',
        message: `The edit was refused: ${message}.`,
        description: 'Keep the thing smaller; what is large belongs elsewhere, with a link to it.',
      };
    case 'no-room':
      return {
        status: 507,
        error: 'things:noroom',
        message: `The edit was refused: ${message}.`,
        description: 'Delete what is not needed, or raise twins.sizeBytesMax.',
      };
    case 'thing-invalid':
      return {
        status: 400,
        error: 'things:thing.invalid',
        message: `The edit was refused: ${message}.`,
        description: 'See what a thing of Eclipse Ditto may hold.',
      };
    case 'json-invalid':
    case 'json-key-refused':
    case 'json-too-deep':
    case 'patch-regex-refused':
      return apiErrors.bodyInvalid(message);
  }
}

/** What Ditto calls the part of a thing at a path. */
function partName([part = 'thing', feature, kind, ...rest]: readonly string[]): string {
  if (part !== 'features')
    return part === 'attributes' && feature !== undefined ? 'attribute' : part;
  if (feature === undefined) return 'features';
  if (kind === undefined) return 'feature';
  if (rest.length === 0) return kind;
  return kind === 'desiredProperties' ? 'desiredProperty' : 'property';
}
