import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { exitCode } from '#runtime/process/program-error.ts';
import { parseTrace, TraceError } from './itf.ts';
import { replayRoundMachine, replayVoteKeeper } from './replay-layers.ts';
import { replaySystem } from './replay-system.ts';

/** How far a trace was followed, and what then differed. */
interface Replay {
  readonly kind: string;
  /** States compared, the one that differs among them. */
  readonly states: number;
  readonly difference: string | undefined;
}

/** By the variables of the specification's modules. */
const KINDS = [
  { kind: 'consensus', variables: ['state', 'input', 'output'], replay: replayRoundMachine },
  {
    kind: 'vote keeper',
    variables: ['weightedVote', 'bookkeeper', 'lastEmitted'],
    replay: replayVoteKeeper,
  },
  { kind: 'system', variables: ['system', '_hist'], replay: replaySystem },
] as const;

/**
 * Follows a trace of Malachite's specification (informalsystems/malachite, specs/consensus/quint)
 * with our core and compares every state of it.
 */
export function replayTrace(text: string): Replay {
  const { states } = parseTrace(text);
  // A run of the specification that only tests functions leaves a trace of one empty state.
  if (states.every((state) => Object.keys(state).length === 0)) {
    return { kind: 'no variables', states: states.length, difference: undefined };
  }
  const found = KINDS.find(({ variables }) => variables.every((name) => name in states[0]!));
  if (found === undefined) {
    const names = Object.keys(states[0]!).join(', ');
    throw new TraceError(`the trace is of no module known here: its variables are ${names}`);
  }
  let count = 0;
  try {
    for (const difference of found.replay(states)) {
      count += 1;
      if (difference !== undefined) return { kind: found.kind, states: count, difference };
    }
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    return { kind: found.kind, states: count + 1, difference: error.message };
  }
  return { kind: found.kind, states: count, difference: undefined };
}

/** `diten ledger replay-trace`: one line a file; the exit code says whether all agree. */
export function runReplayTrace(files: readonly string[]): number {
  let agreed = true;
  for (const file of files) {
    const line = replayLine(file);
    agreed &&= line.startsWith('ok');
    console.log(`${line}: ${file}`);
  }
  return agreed ? exitCode.ok : exitCode.failed;
}

/** The text of a trace's file, which may be compressed. */
export function readTrace(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}

function replayLine(file: string): string {
  try {
    const { kind, states, difference } = replayTrace(readTrace(file));
    if (difference === undefined) return `ok, ${kind}, ${states} states`;
    return `DIFFERS, ${kind}, state ${states - 1}: ${difference}`;
  } catch (error) {
    if (error instanceof TraceError) return `UNREADABLE, ${error.message}`;
    if (error instanceof Error && 'code' in error) return `UNREADABLE, ${error.message}`;
    throw error;
  }
}
