import { z } from 'zod';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Failure } from '#shared/basics/result.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import { TRANSACTION_SIZE_BYTES_MAX } from '#shared/ledger/log-entry.ts';
import { decodeTransaction } from '#shared/ledger/transaction.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import { type ApiError, ApiFailure, apiErrors } from './api-error.ts';
import type { Call } from './call.ts';
import { readBytes } from './request-facts.ts';
import type { Route } from './route.ts';
import { anySchema } from './schemas.ts';

export interface LedgerRoutesOptions {
  readonly ledger: LedgerNode;
  readonly clock: Clock;
  /** How long an answer waits for the block. */
  readonly waitMs?: number;
}

const MEDIA_TYPE = 'application/cbor';
const WAIT_MS = 10_000;

const signerSchema = z.object({ chainId: z.string(), height: z.int(), nextSequence: z.int() });
const outcomeSchema = z.looseObject({ digest: z.string(), outcome: z.string() });
const outcome = { 'application/json': outcomeSchema };

/**
 * The way of signed transactions to the ledger: operators have no node of their own. What speaks
 * for a transaction is its signature; who brings it matters to nobody. A web page cannot bring one
 * unasked, since no form has this media type.
 *
 * `GET signers/{keyId}`: `{chainId, height, nextSequence}`, what is needed to sign one.
 * `POST transactions`, encoded: 200 `{digest, height, index, outcome}` once its block is committed;
 * 202 `{digest, outcome: "pending"}` where that takes long; else what is wrong under `ledger:CODE`.
 * The same again gives the same.
 */
export function createLedgerRoutes(options: LedgerRoutesOptions): Route[] {
  return [
    {
      path: '/api/ledger/signers/{keyId}',
      operations: {
        GET: {
          ...{ id: 'getSigner', summary: 'What is needed to sign a transaction.', role: 'read' },
          answers: {
            200: { description: 'It.', content: { 'application/json': signerSchema } },
          },
          answer: (call) => showSigner(call, options.ledger),
        },
      },
    },
    {
      path: '/api/ledger/transactions',
      operations: {
        POST: {
          ...{ id: 'postTransaction', summary: 'Brings a signed transaction.', role: 'write' },
          body: { content: { [MEDIA_TYPE]: anySchema } },
          answers: {
            200: { description: 'It is in a block.', content: outcome },
            202: { description: 'It waits for a block.', content: outcome },
          },
          answer: (call) => takeTransaction(call, options),
        },
      },
    },
  ];
}

function showSigner({ params, request }: Call, ledger: LedgerNode): Response {
  const keyId = digestSchema.safeParse(params.keyId);
  if (!keyId.success) throw new ApiFailure(apiErrors.notFound(new URL(request.url).pathname));
  const { chainId, head } = ledger.store.chain;
  const nextSequence = ledger.mempool.nextSequence(keyId.data);
  return Response.json({ chainId, height: head.height, nextSequence });
}

async function takeTransaction(
  { request }: Call,
  { ledger, clock, waitMs = WAIT_MS }: LedgerRoutesOptions,
): Promise<Response> {
  if (request.headers.get('content-type') !== MEDIA_TYPE) {
    throw new ApiFailure(apiErrors.mediaTypeUnsupported(MEDIA_TYPE));
  }
  const bytes = await readBytes(request, TRANSACTION_SIZE_BYTES_MAX);
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) throw new ApiFailure(refusal(decoded.error));
  const submitted = ledger.submitEncoded(decoded.value);
  const settled = await Promise.race([submitted, pause(clock, waitMs)]);
  const { digest } = decoded.value;
  if (settled === undefined) return Response.json({ digest, outcome: 'pending' }, { status: 202 });
  if (!settled.ok) throw new ApiFailure(refusal(settled.error));
  return Response.json({ ...settled.value });
}

function refusal({ code, message }: Failure): ApiError {
  const status = code === 'transaction-malformed' ? 400 : LATER.has(code) ? 503 : 409;
  const description = LATER.has(code) ? 'Send it again later.' : 'Mend it and sign it again.';
  return { status, error: `ledger:${code}`, message: `${message}.`, description };
}

/** What says nothing against the transaction. */
const LATER: ReadonlySet<string> = new Set(['mempool-full', 'ledger-closed']);

function pause(clock: Clock, delayMs: number): Promise<undefined> {
  return new Promise((resolve) => clock.after(delayMs, () => resolve(undefined)));
}
