import type { Events } from '#runtime/observe/events.ts';
import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import { type KeyId, keyIdOf } from '#shared/identity/keys.ts';
import type { Signer, VerifySignature } from '#shared/identity/signature.ts';
import type { HeightInput, HeightState } from '#shared/ledger/consensus/height.ts';
import { createSignatureCheck } from '#shared/ledger/consensus/message-signature.ts';
import type { LastSigned } from '#shared/ledger/consensus/sign-guard.ts';
import type { UnsignedProposal, UnsignedVote } from '#shared/ledger/consensus/vote.ts';
import type { LedgerStore } from '../store/ledger-store.ts';
import { SigningInquiry } from './signing-inquiry.ts';
import { type PermitStatus, SigningPermit } from './signing-permit.ts';
import { type SignedMessage, ValidatorSigner } from './validator-signer.ts';

export interface AuthorityOptions {
  readonly store: LedgerStore;
  readonly network: PeerNetwork;
  readonly signer: Signer;
  readonly verify: VerifySignature;
  readonly events: Events;
  /** Whether the store is known to be the last that this key signed by. */
  readonly isTrusted: boolean;
  /** The height under way. */
  height(): HeightState;
  /** The status is another than before. */
  onChange(before: PermitStatus): void;
  /** Runs a task that the network brings about, and takes what it throws. */
  guard(task: () => void): void;
}

/** Whether and what this validator signs: {@link SigningPermit} and the guard of its last place. */
export class SigningAuthority {
  readonly self: KeyId;
  readonly #store: LedgerStore;
  readonly #events: Events;
  readonly #signer: ValidatorSigner;
  readonly #permit: SigningPermit;
  readonly #inquiry: SigningInquiry;
  readonly #onChange: (before: PermitStatus) => void;

  constructor(options: AuthorityOptions) {
    const { store, network, signer, verify, events, isTrusted, height, onChange, guard } = options;
    this.self = keyIdOf(signer.publicKey);
    const { self } = this;
    const { chainId } = store.chain;
    this.#store = store;
    this.#events = events;
    this.#onChange = onChange;
    this.#signer = new ValidatorSigner(chainId, signer, store.lastSigned);
    this.#permit = new SigningPermit({ self, isTrusted });
    this.#inquiry = new SigningInquiry({
      ...{ network, store, events, self, height, guard },
      permit: this.#permit,
      check: createSignatureCheck(chainId, new Map([[self, signer.publicKey]]), verify),
      sawSignature: (at, signature) => this.sawSignature(self, at, signature),
      onAnswer: () => this.review(),
    });
  }

  get status(): PermitStatus {
    return this.#permit.status;
  }

  /** Whether it is not yet known if this validator may sign, so that it had better wait. */
  get isPending(): boolean {
    return this.#permit.status === 'asking';
  }

  get maySign(): boolean {
    return this.#permit.status === 'signing';
  }

  /** The last thing signed: on the disk before what {@link SigningAuthority.sign} gave goes out. */
  get newest(): LastSigned | undefined {
    return this.#signer.newest;
  }

  /** The signed message; undefined where it must not be signed. */
  sign(unsigned: UnsignedVote | UnsignedProposal): SignedMessage | undefined {
    if (!this.maySign) return undefined;
    const signed = this.#signer.sign(unsigned);
    if (signed.ok) return signed.value;
    const { code, message } = signed.error;
    this.#events.record('error', code, { reason: message });
    return undefined;
  }

  /** Notes an input of the write-ahead log: what this validator signed is known to be its own. */
  recall(input: HeightInput): void {
    if (input.kind === 'vote' && input.vote.voter === this.self) {
      this.#signer.recall(input.vote.signature);
    }
    if (input.kind === 'proposal' && input.proposal.proposer === this.self) {
      this.#signer.recall(input.proposal.signature);
    }
  }

  /** A good signature of `maker` has come in, over something of that height. */
  sawSignature(maker: string, height: number, signature: string): void {
    const isOld = height <= this.#store.chain.head.height;
    if (maker !== this.self || isOld || this.#signer.isOwn(signature)) return;
    const before = this.#permit.status;
    this.#permit.sawForeign(height);
    if (this.#permit.status === before) return;
    this.#events.record('error', 'key-signed-elsewhere', { height, signing: this.status });
    this.#onChange(before);
  }

  ask(peer: PeerKey): void {
    this.#inquiry.ask(peer);
  }

  askAll(): void {
    for (const peer of this.#inquiry.connected()) this.#inquiry.ask(peer);
  }

  /** The head has moved, or somebody has answered. */
  review(): void {
    const before = this.#permit.status;
    const { head, roster } = this.#store.chain;
    this.#permit.review(head.height, roster);
    if (this.#permit.status === before) return;
    this.#events.record('info', `permit-${this.status}`, { height: head.height });
    this.#onChange(before);
  }

  forgetHeight(): void {
    this.#signer.forgetHeight();
  }
}
