import type { PeerKey } from '#runtime/peers/peer-network.ts';
import { keyIdOf } from '#shared/identity/keys.ts';
import {
  holdsCorrect,
  type ValidatorSet,
  weightOf,
} from '#shared/ledger/consensus/validator-set.ts';
import type { Roster } from '#shared/ledger/roster.ts';

/** First and longest time that a peer is passed over after it failed to serve. */
const AVOIDED_MS_MIN = 500;
const AVOIDED_MS_MAX = 60_000;

interface PeerRecord {
  /** What it said when asked, in this connection: never goes back. */
  statusHeight: number;
  /** The highest that it has announced in this connection. */
  announcedHeight: number;
  failures: number;
  avoidedUntilMs: number;
}

/** What the connected peers say of their heights, and how they have served. */
export class SyncPeers {
  readonly #records = new Map<PeerKey, PeerRecord>();
  #turn = 0;

  connect(peer: PeerKey): void {
    const known = this.#records.get(peer);
    const { failures = 0, avoidedUntilMs = 0 } = known ?? {};
    const fresh = { statusHeight: 0, announcedHeight: 0, failures, avoidedUntilMs };
    this.#records.set(peer, fresh);
  }

  /** Its claims go; that it is avoided stays until that is over. */
  disconnect(peer: PeerKey, nowMs: number): void {
    const known = this.#records.get(peer);
    if (known === undefined) return;
    if (known.avoidedUntilMs <= nowMs) this.#records.delete(peer);
    else this.connect(peer);
  }

  /** Takes the answer to a status request; false where the peer has lowered its height. */
  takeStatus(peer: PeerKey, height: number): boolean {
    const record = this.#records.get(peer);
    if (record === undefined) return true;
    if (height < record.statusHeight) return false;
    record.statusHeight = height;
    return true;
  }

  takeAnnouncement(peer: PeerKey, height: number): void {
    const record = this.#records.get(peer);
    if (record !== undefined) record.announcedHeight = Math.max(record.announcedHeight, height);
  }

  heightOf(peer: PeerKey): number {
    const record = this.#records.get(peer);
    return record === undefined ? 0 : Math.max(record.statusHeight, record.announcedHeight);
  }

  /** Whether anybody claims to have more than `height`, avoided or not. */
  isAnyBeyond(height: number): boolean {
    return this.#beyond(height).length > 0;
  }

  /** Who to ask for what comes after `height`: in turn those that claim to have it. */
  nextSource(height: number, nowMs: number): PeerKey | undefined {
    const sources = this.#beyond(height).filter(
      (peer) => this.#records.get(peer)!.avoidedUntilMs <= nowMs,
    );
    return sources.length === 0 ? undefined : sources[this.#turn++ % sources.length];
  }

  served(peer: PeerKey): void {
    const record = this.#records.get(peer);
    if (record !== undefined) record.failures = 0;
  }

  /** Passes the peer over, for twice as long each time in a row; returns for how long. */
  avoid(peer: PeerKey, nowMs: number): number {
    const record = this.#records.get(peer);
    if (record === undefined) return 0;
    const avoidedMs = Math.min(AVOIDED_MS_MAX, AVOIDED_MS_MIN * 2 ** record.failures++);
    record.avoidedUntilMs = nowMs + avoidedMs;
    return avoidedMs;
  }

  /** The highest height that some correct validator claims, if fewer than a third are faulty. */
  backedHeight(roster: Roster): number {
    const claims = roster.members
      .filter(({ weight }) => weight > 0)
      .map(({ peer, publicKey }) => ({ id: keyIdOf(publicKey), height: this.heightOf(peer) }))
      .sort((a, b) => b.height - a.height);
    return heightBackedBy(claims, roster.validators);
  }

  #beyond(height: number): PeerKey[] {
    return [...this.#records.keys()].filter((peer) => this.heightOf(peer) > height);
  }
}

function heightBackedBy(
  claims: readonly { id: string; height: number }[],
  validators: ValidatorSet,
): number {
  const backers: string[] = [];
  for (const { id, height } of claims) {
    backers.push(id);
    if (holdsCorrect(weightOf(validators, backers), validators)) return height;
  }
  return 0;
}
