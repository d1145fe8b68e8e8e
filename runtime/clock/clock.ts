/** Time as the programs see it; a port, so that tests can hold it still. */
export interface Clock {
  /** Wall time, milliseconds since 1970 (UTC). May jump. */
  nowMs(): number;
  /** Monotonic time, milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}
