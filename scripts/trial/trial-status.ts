import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeStatus } from '#edge-node/api/status.ts';
import type { PlannedEdge } from './trial-plan.ts';

const SETTLE_MS = 15_000;
const SETTLE_PERIOD_MS = 100;

/** What each edge node says of itself, by name; one that is starting or down is left out. */
export async function fetchStatuses(
  edges: readonly PlannedEdge[],
): Promise<ReadonlyMap<string, NodeStatus>> {
  const answers = await Promise.all(
    edges.map(async ({ name, apiUrl }) => [name, await fetchStatus(apiUrl)] as const),
  );
  return new Map(answers.filter((answer): answer is [string, NodeStatus] => Boolean(answer[1])));
}

/** Waits until nothing is pending and all ledgers stand at one height, for a while at most. */
export async function ledgersSettle(edges: readonly PlannedEdge[]): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_MS;
  while (performance.now() < deadlineMs) {
    const ledgers = [...(await fetchStatuses(edges)).values()].map(({ ledger }) => ledger);
    const heights = new Set(ledgers.map(({ height }) => height));
    const pending = ledgers.some((ledger) => ledger.pending > 0);
    if (ledgers.length === edges.length && heights.size === 1 && !pending) return;
    await sleep(SETTLE_PERIOD_MS);
  }
}

async function fetchStatus(apiUrl: string): Promise<NodeStatus | undefined> {
  try {
    const response = await fetch(`${apiUrl}/status`, { signal: AbortSignal.timeout(1000) });
    return (await response.json()) as NodeStatus;
  } catch {
    return undefined; // starting, or just being restarted: the view says that it does not answer
  }
}
