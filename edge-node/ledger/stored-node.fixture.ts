import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { verifyAccountNatively } from '#runtime/identity/native-verification.ts';
import { type Failure, fail, ok, type Result } from '#shared/basics/result.ts';
import { ed25519Of } from '#shared/identity/account-key.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import { blockHash, decodeBlock } from '#shared/ledger/block.ts';
import { type ExampleChain, exampleMember, other, START_MS } from '#shared/ledger/chain.fixture.ts';
import { decodeCommit } from '#shared/ledger/commit-codec.ts';
import { checkCertificate } from '#shared/ledger/consensus/certificate.ts';
import { createSignatureCheck } from '#shared/ledger/consensus/message-signature.ts';
import { executeBlock, type StagedBlock } from '#shared/ledger/execute-block.ts';
import type { TransactionContent } from '#shared/ledger/transaction.ts';
import { LedgerStore } from './store/ledger-store.ts';
import type { EncodedDecision, SyncedLedger } from './sync/block-sync.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-stored-node-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

/** A member's real store, which takes decided blocks after all checks and has no consensus. */
export class StoredNode implements SyncedLedger, Disposable {
  readonly chainId: string;
  readonly store: LedgerStore;
  readonly file: string;
  isVoting: boolean;
  /** How many decisions were refused. */
  refused = 0;

  constructor(chain: ExampleChain, n: number, file = join(folder, `ledger-${files++}.sqlite`)) {
    const validator = keyIdOf(exampleMember(n).publicKey);
    this.file = file;
    this.store = new LedgerStore({ file, genesis: chain.encodedGenesis, validator });
    this.chainId = this.store.chain.chainId;
    this.isVoting = exampleMember(n).weight > 0;
  }

  get head() {
    return this.store.chain.head;
  }

  get roster() {
    return this.store.chain.roster;
  }

  decision(height: number): EncodedDecision | undefined {
    return this.store.block(height);
  }

  applyDecided({ block, commit }: EncodedDecision): Result<StagedBlock, Failure> {
    const applied = this.#apply(block, commit);
    if (!applied.ok) this.refused++;
    return applied;
  }

  /** Takes all that a chain has decided beyond this node's head, up to a height. */
  follow(chain: ExampleChain, height = chain.decided.length): void {
    for (const decision of chain.decided.slice(this.head.height, height)) {
      const applied = this.applyDecided(decision);
      if (!applied.ok) throw new Error(applied.error.message);
    }
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }

  #apply(bytes: Uint8Array, decision: Uint8Array): Result<StagedBlock, Failure> {
    const { chain, state } = this.store;
    const commit = decodeCommit(decision);
    if (!commit.ok) return commit;
    const verify = verifyAccountNatively;
    const { vote } = createSignatureCheck(chain.chainId, chain.roster.keys, ed25519Of(verify));
    const checked = checkCertificate(commit.value, chain.roster.validators, vote);
    if (!checked.ok) return checked;
    const block = decodeBlock(bytes);
    if (!block.ok) return block;
    if (blockHash(block.value.header) !== commit.value.value) {
      return fail('another-block', 'the commit is for another block');
    }
    const staged = executeBlock(chain, state, block.value, { verify });
    if (!staged.ok) return staged;
    this.store.commit(staged.value, { block: bytes, commit: commit.value });
    return ok(staged.value);
  }
}

/** A voucher that operators issue: a transaction that is as good as any. */
export function voucher(n: number): TransactionContent {
  const body = { voucher: other(n).publicKey, device: null, uses: 1, notAfterMs: START_MS + 1e9 };
  return { type: 'voucher.issue', body };
}

/** Waits in turns of the event loop until the condition holds; the test's own timeout ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}
