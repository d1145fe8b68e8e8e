import { p256 } from '@noble/curves/nist.js';
import { assert } from '../basics/assert.ts';
import { bytesToHex } from '../basics/bytes.ts';
import type { Plain } from '../codec/canonical.ts';
import {
  type AccountSigner,
  accountIdOf,
  accountKeySchema,
  accountSignerOf,
  type VerifyAccount,
  verifyAccountPortably,
} from '../identity/account-key.ts';
import { keyIdOf } from '../identity/keys.ts';
import { seededSigner } from '../identity/seeded-signer.ts';
import { type Signer, signatureSchema } from '../identity/signature.ts';
import { signingBytes } from '../identity/signing-bytes.ts';
import { type Applied, applyTransaction } from './apply-transaction.ts';
import { encodeBlock } from './block.ts';
import { type ChainState, chainStateAtGenesis } from './chain-state.ts';
import { encodeCommit } from './commit-codec.ts';
import type { Commit } from './consensus/certificate.ts';
import { sign, signableVote } from './consensus/message-signature.ts';
import type { UnsignedVote } from './consensus/vote.ts';
import { readState, type StateWrites } from './contract/state.ts';
import { executeBlock, type StagedBlock, stageBlock } from './execute-block.ts';
import { encodeGenesis, type Genesis, type Validator } from './genesis.ts';
import {
  type EncodedTransaction,
  signTransaction,
  type TransactionContent,
  type TransactionPlace,
} from './transaction.ts';
import type { DecidedBlock } from './verify-chain.ts';

export const START_MS = 1_795_000_000_000;

const signers = new Map<number, Signer>();

/** Made once: making a key takes longer than most tests. */
function signer(seed: number): Signer {
  const made = signers.get(seed) ?? seededSigner(seed);
  signers.set(seed, made);
  return made;
}

/** Members have seeds from 1 on, operators from 100, whatever else signs from 150. */
export const member = (n: number): Signer => signer(1 + n);
export const operator = (n: number): AccountSigner => accountSignerOf(signer(100 + n));
export const other = (n: number): Signer => signer(150 + n);

const verdicts = new Map<string, boolean>();

/** The portable verification, once for each signature: tests check the same ones many times. */
export const verifyOnce: VerifyAccount = (signed) => {
  const { key, context, message, signature } = signed;
  const question = `${key.publicKey} ${signature} ${context} ${bytesToHex(message)}`;
  const verdict = verdicts.get(question) ?? verifyAccountPortably(signed);
  verdicts.set(question, verdict);
  return verdict;
};

/** A P-256 signer anybody can make again from its number, 1 to 255. */
export function seededP256Signer(seed: number): AccountSigner {
  const secretKey = new Uint8Array(32).fill(seed);
  const publicKey = bytesToHex(p256.getPublicKey(secretKey, true));
  return {
    key: accountKeySchema.parse({ algorithm: 'p256', publicKey }),
    sign: (context, message) => {
      const bytes = p256.sign(signingBytes(context, message), secretKey, { lowS: true });
      return signatureSchema.parse(bytesToHex(bytes));
    },
  };
}

/** Member `n` as the ledger has it. */
export function exampleMember(n: number, changes: Partial<Validator> = {}): Validator {
  return {
    name: `edge-${n}`,
    publicKey: member(n).publicKey,
    weight: 1,
    peer: signer(200 + n).publicKey,
    cosigner: signer(215 + n).publicKey,
    log: signer(230 + n).publicKey,
    addresses: [`/ip4/127.0.0.1/tcp/${4100 + n}`],
    ...changes,
  };
}

export function exampleGenesis({ members = 4, operators = 4 } = {}): Genesis {
  return {
    v: 1,
    chainId: 'site',
    timeMs: START_MS,
    clockToleranceMs: 500,
    validators: Array.from({ length: members }, (_, n) => exampleMember(n)),
    operators: Array.from({ length: operators }, (_, n) => operator(n).key),
  };
}

/** A chain in memory whose validators all agree at once. */
export class ExampleChain {
  readonly genesis: Genesis;
  readonly state = new Map<string, Plain>();
  readonly decided: DecidedBlock[] = [];
  readonly staged: StagedBlock[] = [];
  chain: ChainState;

  constructor(genesis = exampleGenesis()) {
    this.genesis = genesis;
    const { chain, writes } = chainStateAtGenesis(genesis);
    this.chain = chain;
    this.write(writes);
  }

  get encodedGenesis(): Uint8Array {
    return encodeGenesis(this.genesis);
  }

  /** Signed as the signer's next, unless `place` says otherwise. */
  sign(
    signer: AccountSigner,
    content: TransactionContent,
    place: Partial<TransactionPlace> = {},
  ): EncodedTransaction {
    const last = readState(this.state, 'signer', accountIdOf(signer.key)) ?? 0;
    const { chainId } = this.genesis;
    const at = { chainId, signerSequence: last + 1, notAfterHeight: 1_000_000, ...place };
    const signed = signTransaction(content, at, signer);
    assert(signed.ok, signed.ok ? '' : signed.error.message);
    return signed.value;
  }

  /** Applies it to the state without a block; it must be includable, its signature is trusted. */
  apply(
    signer: AccountSigner,
    content: TransactionContent,
    { height = 1, timeMs = START_MS + 1 } = {},
  ): Applied {
    const transaction = this.sign(signer, content);
    const { chainId } = this.genesis;
    const verification = { verify: verifyOnce, isVerified: () => true };
    const context = { chainId, height, timeMs, ...verification };
    const applied = applyTransaction(this.state, transaction, context);
    assert(applied.ok, applied.ok ? '' : applied.error.message);
    this.write(applied.value.writes);
    return applied.value;
  }

  /** Stages these, has every member of the roster vote, and executes the block. */
  commit(...transactions: EncodedTransaction[]): StagedBlock {
    const { timeMs } = this.chain.head;
    const proposer = this.chain.roster.validators.schedule[0]!;
    const { staged, dropped } = stageBlock(this.chain, this.state, {
      transactions,
      timeMs: timeMs + 10,
      proposer: proposer as ReturnType<typeof keyIdOf>,
      verify: verifyOnce,
    });
    assert(dropped.length === 0, `includable, not ${JSON.stringify(dropped)}`);
    const executed = executeBlock(this.chain, this.state, staged.block, {
      verify: verifyOnce,
    });
    assert(executed.ok, executed.ok ? '' : executed.error.message);
    const commit = encodeCommit(this.commitOf(staged));
    this.decided.push({ block: encodeBlock(staged.block), commit });
    this.staged.push(staged);
    this.write(staged.writes);
    this.chain = staged.chain;
    return staged;
  }

  /** The precommits of those who vote at the block's height, or of the first of them only. */
  commitOf(staged: StagedBlock, voters = Number.POSITIVE_INFINITY): Commit {
    const { height } = staged.block.header;
    const { chainId, roster } = this.chain;
    const signers = this.members().filter(({ publicKey }) => roster.keys.has(keyIdOf(publicKey)));
    const votes = signers.slice(0, voters).map((signer) => {
      const vote: UnsignedVote = {
        ...{ type: 'precommit', height, round: 0, value: staged.hash, validRound: -1 },
        voter: keyIdOf(signer.publicKey),
      };
      return { ...vote, signature: sign(signer, signableVote(chainId, vote)) };
    });
    return { kind: 'commit', height, round: 0, value: staged.hash, votes };
  }

  /** Enrols a device by an operator. */
  enrol(device: string, signer: AccountSigner): void {
    const body = { device, key: signer.key, voucher: null, replaces: false };
    const { outcome } = this.apply(operator(0), { type: 'device.enrol', body });
    assert(outcome === 'accepted', outcome);
  }

  write(writes: StateWrites): void {
    for (const [key, value] of writes) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
  }

  members(): Signer[] {
    return Array.from({ length: 12 }, (_, n) => member(n));
  }
}
