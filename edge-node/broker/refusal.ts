import type { Failure } from '#shared/basics/result.ts';

/** Why the broker refused a client something. All but the last two end its connection. */
export type RefusalCode =
  | 'payload-too-large'
  | 'malformed-packet'
  | 'connect-timeout'
  | 'keepalive-timeout'
  | 'slow-reader'
  | 'protocol-unsupported'
  | 'client-id-invalid'
  | 'duplicate-device'
  | 'device-barred'
  | 'host-foreign'
  | 'observers-off'
  | 'operators-off'
  | 'epoch-invalid'
  | 'session-not-clean'
  | 'keepalive-invalid'
  | 'too-many-clients'
  | 'publish-forbidden'
  | 'retain-forbidden'
  | 'qos-unsupported'
  | 'retained-full'
  | 'too-many-connections'
  | 'subscription-forbidden'
  | 'too-many-subscriptions';

export type Refusal = Failure<RefusalCode>;

/** The return code of the CONNACK that says so (MQTT 3.1.1, 3.2.2.3); 5, not authorised, else. */
const returnCodes: Partial<Record<RefusalCode, number>> = {
  'client-id-invalid': 2,
  'duplicate-device': 2,
  'host-foreign': 2,
  'too-many-clients': 3,
  'epoch-invalid': 4,
};

/** A refusal on its way through aedes, which takes errors. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError';
  readonly refusal: Refusal;
  readonly returnCode: number;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
    this.returnCode = returnCodes[refusal.code] ?? 5;
  }
}

/** What aedes calls the faults it finds itself. */
const faults: Readonly<Record<string, RefusalCode>> = {
  'connect did not arrive in time': 'connect-timeout',
  'keep alive timeout': 'keepalive-timeout',
  'drain timeout': 'slow-reader',
  'unacceptable protocol version': 'protocol-unsupported',
};

/** What aedes says to those who were still writing when a connection ended. */
const CONNECTION_ENDED = 'connection closed';

/** The refusal behind an error of a connection; `undefined` where the network only broke. */
export function errorToRefusal(error: Error & { readonly code?: unknown }): Refusal | undefined {
  if (error instanceof RefusalError) return error.refusal;
  if (error.code !== undefined || error.message === CONNECTION_ENDED) return undefined;
  return { code: faults[error.message] ?? 'malformed-packet', message: error.message };
}
