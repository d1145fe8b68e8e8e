import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerNode } from '#edge-node/ledger/ledger-node.ts';
import { barredBy } from '#edge-node/ledger/start-ledger.ts';
import { bytesToHex } from '#shared/basics/bytes.ts';
import { type AccountSigner, accountIdOf } from '#shared/identity/account-key.ts';
import { publicKeySchema } from '#shared/identity/keys.ts';
import { signTransaction, type TransactionContent } from '#shared/ledger/transaction.ts';

const HEIGHTS_TO_WAIT = 10_000;
/** Between one device and the next, so that they meet blocks at any stage. */
const PAUSE_MS_MAX = 200;

/** Enrols devices and revokes them, one after the other, as an operator does through one node. */
export class Revocations {
  readonly #ledger: LedgerNode;
  readonly #operator: AccountSigner;
  readonly #revokedMs = new Map<string, number>();
  #devices = 0;

  constructor(ledger: LedgerNode, operator: AccountSigner) {
    this.#ledger = ledger;
    this.#operator = operator;
    ledger.onCommit(({ writes }) => {
      for (const device of barredBy(ledger.state, writes)) {
        this.#revokedMs.set(device, performance.now());
      }
    });
  }

  /** From the hand-over of each revocation to the node until that node cuts the device off. */
  async measure(seconds: number): Promise<number[]> {
    const latenciesMs: number[] = [];
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      const device = `bench-${this.#devices++}`;
      const { publicKey } = generateKeyPairSync('ed25519');
      const key = publicKeySchema.parse(
        bytesToHex(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
      );
      const account = { algorithm: 'ed25519', publicKey: key } as const;
      const enrolment = { device, key: account, voucher: null, replaces: false };
      await this.#submit({ type: 'device.enrol', body: enrolment });
      await sleep(Math.random() * PAUSE_MS_MAX);
      const startMs = performance.now();
      await this.#submit({ type: 'device.revoke', body: { device, reason: 'measured' } });
      latenciesMs.push(this.#revokedMs.get(device)! - startMs);
    }
    return latenciesMs;
  }

  async #submit(content: TransactionContent): Promise<void> {
    const { chainId, head } = this.#ledger.store.chain;
    const signerSequence = this.#ledger.mempool.nextSequence(accountIdOf(this.#operator.key));
    const place = { chainId, signerSequence, notAfterHeight: head.height + HEIGHTS_TO_WAIT };
    const signed = signTransaction(content, place, this.#operator);
    const receipt = signed.ok ? await this.#ledger.submitEncoded(signed.value) : signed;
    if (!receipt.ok) throw new Error(receipt.error.message);
    const { outcome } = receipt.value;
    if (outcome !== 'accepted') throw new Error(`${content.type}: ${outcome}`);
  }
}
