import type { PeerKey, PeerNetwork } from '#runtime/peers/peer-network.ts';
import { encodeMessage } from '#shared/ledger/consensus/message-codec.ts';
import type { ConsensusMessage } from '#shared/ledger/consensus/resend.ts';
import type { LedgerStore } from '../store/ledger-store.ts';
import { encodeFrame } from './consensus-frame.ts';
import { votersOf } from './peer-voters.ts';
import type { ProposedBlocks } from './proposed-blocks.ts';

export interface SenderOptions {
  readonly network: PeerNetwork;
  readonly store: LedgerStore;
  readonly blocks: ProposedBlocks;
}

/** The way of consensus messages to the other validators. */
export class ConsensusSender {
  readonly #options: SenderOptions;
  // Once each until the next time to resend: answers must not answer each other for ever.
  readonly #told = new Set<PeerKey>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** To all validators that are connected; own proposals bring their blocks. */
  broadcast(messages: readonly ConsensusMessage[]): void {
    if (messages.length === 0) return;
    const frames = messages.map((message) => {
      const block =
        message.kind === 'proposal'
          ? this.#options.blocks.compact(message.proposal.value)
          : undefined;
      return encodeFrame({ message: encodeMessage(message), block });
    });
    for (const peer of this.#voters()) for (const frame of frames) this.#send(peer, frame);
  }

  /** Says the messages again, to all or to one; who lacks a block asks for it. */
  resend(messages: readonly ConsensusMessage[], to?: PeerKey): void {
    const peers = this.#voters().filter((peer) => to === undefined || peer === to);
    if (peers.length === 0) return;
    const frames = messages.map((message) => encodeFrame({ message: encodeMessage(message) }));
    for (const peer of peers) for (const frame of frames) this.#send(peer, frame);
  }

  /** Who is still behind may be told again. */
  forgetTold(): void {
    this.#told.clear();
  }

  /** Gives a validator that is behind the newest commit: it decides by it, or asks for more. */
  sendHead(to: PeerKey): void {
    const { store } = this.#options;
    const newest = this.#told.has(to) ? undefined : store.block(store.chain.head.height);
    if (newest === undefined) return;
    this.#told.add(to);
    this.#send(to, encodeFrame({ message: newest.commit }));
  }

  #voters(): PeerKey[] {
    const { network, store } = this.#options;
    const voters = votersOf(store.chain.roster);
    return network.connected().filter((peer) => voters.has(peer));
  }

  #send(to: PeerKey, frame: Uint8Array): void {
    this.#options.network.send(to, frame);
  }
}
