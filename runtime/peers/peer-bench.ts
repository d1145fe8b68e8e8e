import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { PeerError, type PeerKey, type PeerLimits, type PeerNetwork } from './peer-network.ts';

/** Nodes on one machine, through one adapter. */
export interface PeerBench extends AsyncDisposable {
  /** Starts a node with a key of its own; after the one of that number was closed, where it was. */
  start(number: number, limits?: Partial<PeerLimits>): Promise<PeerNetwork>;
  /** A peer that takes every connection and reads no message. */
  startDeaf(number: number): Promise<Pick<PeerNetwork, 'self' | 'addresses'>>;
}

export type Named = Pick<PeerNetwork, 'self' | 'addresses'>;

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (body: Uint8Array) => new TextDecoder().decode(body);
const PATIENCE_MS = 50_000;

/** Waits until `isSo`, and fails after a while: a wait for ever keeps its process from ending. */
export async function until(isSo: () => boolean): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, `not so in ${PATIENCE_MS} ms: ${isSo}`);
    await sleep(2);
  }
}

/** A list for `setPeers`. */
export function listOf(...nodes: readonly Named[]): Map<PeerKey, readonly string[]> {
  return new Map(nodes.map(({ self, addresses }) => [self, addresses]));
}

/** Connects all with all. */
export async function meet(...nodes: readonly PeerNetwork[]): Promise<void> {
  for (const node of nodes) node.setPeers(listOf(...nodes));
  await until(() => nodes.every((node) => node.connected().length === nodes.length - 1));
}

/** What `node` receives, in order, as text. */
export function collect(node: PeerNetwork): { from: PeerKey; message: string }[] {
  const messages: { from: PeerKey; message: string }[] = [];
  node.onMessage((from, message) => messages.push({ from, message: text(message) }));
  return messages;
}

export function refuses(promise: Promise<unknown>, code: string, reason?: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof PeerError, `${error}`);
    assert.deepEqual([error.code, error.reason], [code, reason]);
    return true;
  });
}

/** Nodes of one test, with waits short enough for it. */
export interface Suite {
  start(number: number, limits?: Partial<PeerLimits>): Promise<PeerNetwork>;
  pair(limits?: Partial<PeerLimits>): Promise<{ a: PeerNetwork; b: PeerNetwork }>;
}
