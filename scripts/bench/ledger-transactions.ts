import { assert } from '#shared/basics/assert.ts';
import type { AccountSigner } from '#shared/identity/account-key.ts';
import { accountIdOf } from '#shared/identity/account-key.ts';
import { type Digest, digestOfPlain } from '#shared/identity/digest.ts';
import {
  type EncodedTransaction,
  signTransaction,
  type TransactionContent,
} from '#shared/ledger/transaction.ts';

export const TRANSACTION_SIZE_BYTES = 1024;

/** Beyond every height of a measurement. */
const NOT_AFTER_HEIGHT = 2 ** 31;
const CONTRIBUTIONS = 2;
const METRICS = 6;
const METRIC_LENGTH_MAX = 32;

/**
 * One signer's learning task as it comes onto the ledger: its definition and first version, then
 * version after version, each signed and of 1 KiB (at most 3 bytes less), as a node that aggregates
 * makes them.
 */
export class VersionStream {
  readonly #signer: AccountSigner;
  readonly #chainId: string;
  readonly #task: Digest;
  readonly #stock: EncodedTransaction[] = [];
  #sequence = 0;
  #padding = 100;

  constructor(signer: AccountSigner, chainId: string) {
    this.#signer = signer;
    this.#chainId = chainId;
    this.#task = digestOfPlain(['task', accountIdOf(signer.key)]);
  }

  /** Signs ahead, so that signing is no part of what is measured. */
  prepare(count: number): void {
    while (this.#stock.length < count) this.#stock.push(this.#make());
  }

  /** The next transaction; to be submitted in this order. */
  next(): EncodedTransaction {
    return this.#stock.shift() ?? this.#make();
  }

  #make(): EncodedTransaction {
    this.#sequence += 1;
    if (this.#sequence === 1) {
      return this.#sign({
        type: 'task.define',
        body: { task: this.#task, model: this.#digest(-1) },
      });
    }
    // The first version has no contributions, and is smaller.
    return this.#sequence === 2 ? this.#sign(this.#version(0)) : this.#fitted();
  }

  /** With as much padding as fits; what a signature takes is known from the version before. */
  #fitted(): EncodedTransaction {
    for (let attempt = 0; attempt < 20; attempt++) {
      const signed = this.#sign(this.#version(this.#padding));
      const missing = TRANSACTION_SIZE_BYTES - signed.bytes.length;
      if (missing >= 0 && missing <= 3) return signed;
      this.#padding += missing;
    }
    throw new Error('no padding makes the transaction one of 1 KiB');
  }

  #version(padding: number): TransactionContent {
    const round = this.#sequence - 2;
    const isFirst = round === 0;
    const contributions = Array.from({ length: isFirst ? 0 : CONTRIBUTIONS }, (_, index) => ({
      device: `device-${index}`,
      update: digestOfPlain([round, index]),
      sampleCount: 1000,
    }));
    return {
      type: 'model.version',
      body: {
        task: this.#task,
        round,
        digest: this.#digest(round),
        parents: isFirst ? [] : [this.#digest(round - 1)],
        contributions,
        aggregator: accountIdOf(this.#signer.key),
        rule: 'fed-avg',
        metrics: paddingMetrics(padding),
      },
    };
  }

  #digest(round: number): Digest {
    return digestOfPlain([this.#task, round]);
  }

  #sign(content: TransactionContent): EncodedTransaction {
    const place = {
      chainId: this.#chainId,
      signerSequence: this.#sequence,
      notAfterHeight: NOT_AFTER_HEIGHT,
    };
    const signed = signTransaction(content, place, this.#signer);
    assert(signed.ok, signed.ok ? '' : signed.error.message);
    return signed.value;
  }
}

/** So many digits in all, spread over metrics. */
function paddingMetrics(digits: number): Record<string, string> {
  const metrics: Record<string, string> = {};
  let left = digits;
  for (let index = 0; index < METRICS; index++) {
    const length = Math.max(1, Math.min(METRIC_LENGTH_MAX, left - (METRICS - 1 - index)));
    metrics[`metric-${index}`] = '7'.repeat(length);
    left -= length;
  }
  return metrics;
}
