import { isQuorum, weightOf } from '#shared/ledger/consensus/validator-set.ts';
import type { Roster } from '#shared/ledger/roster.ts';

/**
 * `asking`: has not heard enough to sign, and waits. `observing`: may have signed what it does not
 * know of, so it follows without signing. `stopped`: somebody else signs with this key.
 */
export type PermitStatus = 'asking' | 'observing' | 'signing' | 'stopped';

/** Heights that must pass beyond what the others had, before a key may sign again. */
const HEIGHTS_PASSED = 2;

export interface PermitOptions {
  /** Key id of this validator. */
  readonly self: string;
  /** Whether the database is the one that this key last signed by: see {@link SigningPermit}. */
  readonly isTrusted: boolean;
}

/**
 * When a validator may sign. The sign state lies in the database, so the question is whether the
 * database is the newest there ever was of this key. Three things can be wrong with it, and no
 * one source tells all:
 *
 * (a) It was deleted, or (b) replaced by an older copy. Each start of the program leaves a random
 * run in the database and in a marker beside the key. A database whose run the marker does not
 * know is not trusted. A copy taken during the very run that the marker names passes this test,
 * and so does a folder restored as a whole. Therefore every validator asks the others at its start
 * for its own newest signatures, which they hold durably (write-ahead log, commits). A signature
 * cannot be invented, so nobody can keep it from signing by a lie; one that the database does not
 * know ends the trust in it.
 *
 * With trust it signs as soon as those who answered make a quorum together with itself. That is no
 * more than consensus itself needs, so a restart of all at once, or of one while another is down,
 * loses nothing but one round trip.
 *
 * Without trust it observes. Let h be the last height it may have signed at. It did so because
 * h - 1 was decided, by a quorum that was at h - 1 then, so with heads of h - 2 or more. A quorum
 * of others, not counting itself, shares a correct validator with that one; so the highest of the
 * heads they answer is at least h - 2. It signs again beyond that height + 2, so beyond h, once
 * the others have decided as much without it: also any lock it forgot is decided by then. A head
 * counts once this node has reached it by verified blocks: who invents one is only not counted.
 *
 * (c) The folder was copied and is used on two machines. Both pass all this if they start
 * together. But each sees the other's signatures in votes, certificates and commits: one of the
 * present height that it did not make itself stops it for good. An observer that sees its key
 * sign goes on observing, for two heights beyond the last such signature.
 *
 * What this cannot see: an exchanged database, known to the marker, whose later signatures reached
 * only validators that are down or lie. Then two are faulty at once, and evidence says so.
 */
export class SigningPermit {
  readonly #self: string;
  readonly #heads = new Map<string, number>();
  #status: PermitStatus;
  /** Greatest height from which on nothing is known to have been signed by this key. */
  #boundary: number | undefined;
  #newestForeign = 0;

  constructor({ self, isTrusted }: PermitOptions) {
    this.#self = self;
    this.#status = isTrusted ? 'asking' : 'observing';
  }

  get status(): PermitStatus {
    return this.#status;
  }

  /** Whether this voter's answer is still of use. */
  needs(voter: string): boolean {
    const waits = this.#status === 'asking' || this.#status === 'observing';
    return waits && voter !== this.#self && !this.#heads.has(voter);
  }

  /** A validator has said which height it has decided, and shown nothing unknown. */
  answered(voter: string, head: number): void {
    if (!this.#heads.has(voter)) this.#heads.set(voter, head);
  }

  /** This key has signed at that undecided height, and not by this process or its log. */
  sawForeign(height: number): void {
    this.#newestForeign = Math.max(this.#newestForeign, height);
    if (this.#status === 'asking') this.#status = 'observing';
    if (this.#status === 'signing') this.#status = 'stopped';
  }

  /** Looks again, given the height that this node has decided. */
  review(head: number, { validators }: Roster): void {
    if (this.#status === 'asking') {
      const voters = [this.#self, ...this.#heads.keys()];
      if (isQuorum(weightOf(validators, voters), validators)) this.#status = 'signing';
    } else if (this.#status === 'observing') {
      const reached = [...this.#heads].filter(([voter, at]) => voter !== this.#self && at <= head);
      const voters = reached.map(([voter]) => voter);
      if (isQuorum(weightOf(validators, voters), validators)) {
        this.#boundary ??= Math.max(...reached.map(([, at]) => at));
      }
      if (this.#boundary === undefined) return;
      const beyond = Math.max(this.#boundary, this.#newestForeign) + HEIGHTS_PASSED;
      if (head >= beyond) this.#status = 'signing';
    }
  }
}
