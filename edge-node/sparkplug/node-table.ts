import type { HostNodeEffect } from '#shared/sparkplug/host-node-state.ts';
import type { NodeEffects } from '#shared/sparkplug/host-nodes.ts';
import type { NodeAddress } from '#shared/sparkplug/topic.ts';

/** An edge node as `/status` shows it. */
export interface SparkplugNodeStatus {
  readonly group: string;
  readonly node: string;
  /** `stale` until births were heard, and whenever a message is missing. */
  readonly state: 'born' | 'stale' | 'dead';
  /** Of the newest NBIRTH; null before one. */
  readonly bdSeq: number | null;
  /** Its devices that are born and have not died. */
  readonly devices: number;
  readonly births: number;
  /** How often births were asked for. */
  readonly rebirthRequests: number;
  /** Wall time of the newest change of state; null before one. */
  readonly sinceMs: number | null;
}

/** Whether a device is seen live, as its twin shows it. */
export interface Presence {
  readonly state: SparkplugNodeStatus['state'];
  /** Wall time of the host. */
  readonly sinceMs: number;
  /** Features that said farewell themselves since. */
  readonly dead: readonly { readonly feature: string; readonly sinceMs: number }[];
}

interface Row {
  readonly address: NodeAddress;
  readonly devices: Set<string>;
  /** When each device died that was born and did. */
  readonly deaths: Map<string, number>;
  state: SparkplugNodeStatus['state'];
  bdSeq: number | null;
  births: number;
  rebirthRequests: number;
  sinceMs: number | null;
}

/** What became of each edge node; as large as the table of nodes whose effects it takes. */
export class NodeTable {
  readonly #rows = new Map<string, Row>();

  get size(): number {
    return this.#rows.size;
  }

  /** Takes what a message or a moment did to an edge node that is known. */
  take({ address, effects }: NodeEffects, nowMs: number): void {
    const row = this.#row(address);
    for (const effect of effects) change(row, effect, nowMs);
  }

  forget({ group, node }: NodeAddress): void {
    this.#rows.delete(`${group}/${node}`);
  }

  /** The edge node that has been dead for the longest time, where one is. */
  longestDead(): NodeAddress | undefined {
    let oldest: Row | undefined;
    for (const row of this.#rows.values()) {
      if (row.state !== 'dead') continue;
      if (oldest === undefined || (row.sinceMs ?? 0) < (oldest.sinceMs ?? 0)) oldest = row;
    }
    return oldest?.address;
  }

  /** `undefined` before the first change of state. */
  presenceOf({ group, node }: NodeAddress): Presence | undefined {
    const row = this.#rows.get(`${group}/${node}`);
    if (row === undefined || row.sinceMs === null) return undefined;
    const { state, sinceMs, deaths } = row;
    const dead = Array.from(deaths, ([feature, each]) => ({ feature, sinceMs: each }));
    return { state, sinceMs, dead };
  }

  all(): SparkplugNodeStatus[] {
    return Array.from(this.#rows.values(), ({ address, devices, deaths: _, ...rest }) => ({
      ...address,
      ...rest,
      devices: devices.size,
    }));
  }

  #row(address: NodeAddress): Row {
    const key = `${address.group}/${address.node}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      const start = { state: 'stale', births: 0, rebirthRequests: 0 } as const;
      const nothing = { bdSeq: null, sinceMs: null };
      row = { address, devices: new Set(), deaths: new Map(), ...start, ...nothing };
      this.#rows.set(key, row);
    }
    return row;
  }
}

function change(row: Row, effect: HostNodeEffect, nowMs: number): void {
  switch (effect.kind) {
    case 'node-born':
      row.births++;
      row.bdSeq = effect.bdSeq;
      enter(row, 'born', effect.atMs);
      break;
    case 'node-died':
      enter(row, 'dead', effect.atMs);
      break;
    case 'node-lost':
      enter(row, 'stale', effect.atMs);
      break;
    case 'device-born':
      row.devices.add(effect.device);
      row.deaths.delete(effect.device);
      break;
    case 'device-died':
      row.devices.delete(effect.device);
      // The message's own time is its sender's word.
      row.deaths.set(effect.device, nowMs);
      break;
    case 'publish':
      row.rebirthRequests++;
  }
}

/** Each of these states leaves no device born. */
function enter(row: Row, state: Row['state'], sinceMs: number): void {
  row.devices.clear();
  row.deaths.clear();
  row.state = state;
  row.sinceMs = sinceMs;
}
