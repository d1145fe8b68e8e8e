/** What a turn measured. */
export interface LedgerTurn {
  /** From handing a transaction to a node until that node has it in a committed block. */
  readonly latenciesMs: readonly number[];
  readonly seconds: number;
}

export interface LedgerLoad {
  /** The nodes that take transactions, from 0. */
  readonly nodes: readonly number[];
  /** Transactions under way at each of them at any time; the next begins when one has ended. */
  readonly inFlight: number;
  readonly seconds: number;
}

/** Validator processes that agree on transactions, and wait while others have their turn. */
export interface LedgerContender extends AsyncDisposable {
  readonly name: string;
  /** Version, and how it was set up. */
  readonly description: string;
  /** The node's process. */
  pid(node: number): number;
  height(node: number): Promise<number>;
  /** Does ahead of a turn what is no part of it. */
  prepare(): Promise<void>;
  run(load: LedgerLoad): Promise<LedgerTurn>;
  /** Revokes devices through a node for so long; how long each took, where there are any. */
  revoke?(node: number, seconds: number): Promise<readonly number[]>;
  /** Kills the node's process, as kill -9. */
  kill(node: number): Promise<void>;
  /** Starts the process again; it need not be up when this returns. */
  restart(node: number): void;
}

export const NODES = 4;
