import { join } from 'node:path';
import { type RoundSummary, roundSummary } from '#edge-node/federation/version-log.ts';
import { LedgerFile } from '#edge-node/ledger/store/ledger-file.ts';
import { ProgramError } from '#runtime/process/program-error.ts';
import type { PlannedEdge } from './trial-plan.ts';
import type { LedgerNodeReport, LedgerReport } from './trial-report.ts';

interface ReadLedger {
  readonly height: number;
  /** State digest after each block, from height 1. */
  readonly states: readonly string[];
  readonly failure?: string;
}

/** Reads each node's file of the ledger from its genesis, and compares them. */
export function ledgerReport(
  edges: readonly PlannedEdge[],
  restartsOf: (index: number) => number,
): LedgerReport {
  const ledgers = edges.map((edge) => readLedger(edge));
  const common = Math.min(...ledgers.map(({ height }) => height));
  const nodes = ledgers.map(({ height, states, failure }, index): LedgerNodeReport => {
    return {
      id: edges[index]!.name,
      height,
      stateDigest: states[common - 1] ?? null,
      verified: failure === undefined,
      ...(failure === undefined ? {} : { failure }),
      restarts: restartsOf(index),
    };
  });
  const failure = disagreement(nodes);
  return {
    height: Math.max(...nodes.map((node) => node.height)),
    verified: failure === undefined,
    ...(failure === undefined ? {} : { failure }),
    nodes,
  };
}

/** The learning rounds that a node's ledger records, in order. */
export function roundsOnLedger(edge: PlannedEdge): RoundSummary[] {
  using ledger = new LedgerFile(ledgerFileOf(edge));
  const rounds: RoundSummary[] = [];
  for (const { block, outcomes } of ledger.blocks()) {
    for (const [index, { transaction }] of block.transactions.entries()) {
      if (transaction.type !== 'model.version' || outcomes[index] !== 'accepted') continue;
      if (transaction.body.round > 0) rounds.push(roundSummary(transaction.body));
    }
  }
  return rounds;
}

function readLedger(edge: PlannedEdge): ReadLedger {
  try {
    using ledger = new LedgerFile(ledgerFileOf(edge));
    const verified = ledger.verify();
    if (!verified.ok) {
      const { height, code, message } = verified.error;
      return { height, states: [], failure: `at height ${height}: ${code}: ${message}` };
    }
    const states = [...ledger.blocks()].map(({ block }) => block.header.state);
    return { height: verified.value.chain.head.height, states };
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    return { height: 0, states: [], failure: error.message }; // no such file, or no ledger at all
  }
}

function disagreement(nodes: readonly LedgerNodeReport[]): string | undefined {
  const broken = nodes.find(({ verified }) => !verified);
  if (broken !== undefined) return `${broken.id}: ${broken.failure}`;
  if (new Set(nodes.map(({ stateDigest }) => stateDigest)).size > 1) {
    return 'the nodes have come to different states';
  }
  return undefined;
}

function ledgerFileOf({ dataFolder }: PlannedEdge): string {
  return join(dataFolder, 'ledger.sqlite');
}
