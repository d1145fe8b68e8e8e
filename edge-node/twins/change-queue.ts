import type { Result } from '#shared/basics/result.ts';
import type { Thing } from '#shared/twin/document/thing.ts';
import type { ThingInput, ThingRejection } from '#shared/twin/document/thing-step.ts';

/** What is known when a change's turn has come. */
export interface ChangeMoment {
  /** The thing as the changes before left it; `undefined` where it does not exist. */
  readonly thing: Thing | undefined;
  /** Things that exist by then. */
  readonly thingCount: number;
}

/** One change of a thing, to be decided upon when its turn has come. */
export interface PendingChange {
  readonly device: string;
  /** What it throws is the outcome of this change alone. */
  readonly decide: (moment: ChangeMoment) => ThingInput;
}

export type ChangeOutcome =
  | { readonly result: Result<Thing, ThingRejection> }
  | { readonly error: unknown };

interface Waiting extends PendingChange {
  readonly settle: (outcome: ChangeOutcome) => void;
}

/**
 * Gathers the changes that one turn of the event loop brings, so that they share one commit: a
 * synced write takes longer than anything else of an edit.
 */
export class ChangeQueue {
  readonly #commit: (changes: readonly PendingChange[]) => readonly ChangeOutcome[];
  #waiting: Waiting[] = [];

  /** @param commit - Makes all of them durable, in their order, or throws and makes none. */
  constructor(commit: (changes: readonly PendingChange[]) => readonly ChangeOutcome[]) {
    this.#commit = commit;
  }

  /** Settles once the change is durable, or known not to be made. */
  async add(change: PendingChange): Promise<Result<Thing, ThingRejection>> {
    const outcome = await new Promise<ChangeOutcome>((settle) => {
      this.#waiting.push({ ...change, settle });
      if (this.#waiting.length === 1) setImmediate(() => this.flush());
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  /** Commits what waits. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    let outcomes: readonly ChangeOutcome[];
    try {
      outcomes = this.#commit(waiting);
    } catch (error) {
      outcomes = waiting.map(() => ({ error }));
    }
    for (const [index, { settle }] of waiting.entries()) settle(outcomes[index]!);
  }
}
