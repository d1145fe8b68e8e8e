import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Failure } from '#shared/basics/result.ts';
import { digestSchema } from '#shared/identity/digest.ts';
import { TRANSACTION_SIZE_BYTES_MAX } from '#shared/ledger/log-entry.ts';
import { decodeTransaction } from '#shared/ledger/transaction.ts';
import type { LedgerNode } from '../ledger/ledger-node.ts';
import { type ApiError, apiErrors, toResponse } from './api-error.ts';

export interface LedgerRoutesOptions {
  readonly ledger: LedgerNode;
  readonly clock: Clock;
  /** How long an answer waits for the block. */
  readonly waitMs?: number;
}

const MEDIA_TYPE = 'application/cbor';
const WAIT_MS = 10_000;

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
export function createLedgerRoutes({ ledger, clock, waitMs = WAIT_MS }: LedgerRoutesOptions): Hono {
  const app = new Hono();
  app.get('/signers/:keyId', (context) => {
    const keyId = digestSchema.safeParse(context.req.param('keyId'));
    if (!keyId.success) return toResponse(apiErrors.notFound(context.req.path));
    const { chainId, head } = ledger.store.chain;
    const nextSequence = ledger.mempool.nextSequence(keyId.data);
    return context.json({ chainId, height: head.height, nextSequence });
  });

  const limit = bodyLimit({
    maxSize: TRANSACTION_SIZE_BYTES_MAX,
    onError: () => toResponse(apiErrors.bodyTooLarge(TRANSACTION_SIZE_BYTES_MAX)),
  });
  app.post('/transactions', limit, async (context) => {
    if (context.req.header('content-type') !== MEDIA_TYPE) {
      return toResponse(apiErrors.mediaTypeUnsupported(MEDIA_TYPE));
    }
    const decoded = decodeTransaction(new Uint8Array(await context.req.arrayBuffer()));
    if (!decoded.ok) return toResponse(refusal(decoded.error));
    const submitted = ledger.submitEncoded(decoded.value);
    const settled = await Promise.race([submitted, pause(clock, waitMs)]);
    const { digest } = decoded.value;
    if (settled === undefined) return context.json({ digest, outcome: 'pending' }, 202);
    return settled.ok ? context.json({ ...settled.value }) : toResponse(refusal(settled.error));
  });
  return app;
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
