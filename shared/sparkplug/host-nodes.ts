import type { Failure } from '../basics/result.ts';
import { stepHostNode } from './host-node.ts';
import type { HostNodeEffect, HostNodeInput, HostNodeOptions } from './host-node-state.ts';
import { createHostNode, type HostNode } from './host-node-state.ts';
import { decodePayload } from './payload.ts';
import type { Delivery, Instant } from './publication.ts';
import { type NodeAddress, parseTopic } from './topic.ts';

export interface NodeEffects {
  readonly address: NodeAddress;
  readonly effects: readonly HostNodeEffect[];
}

export interface HostNodesOptions {
  readonly nodesMax: number;
  readonly node: HostNodeOptions;
}

/**
 * All edge nodes a host application knows. It changes in place, as a table of thousands would cost
 * more to copy than a message to handle; what it does depends on its inputs alone.
 */
export class HostNodes {
  readonly #options: HostNodesOptions;
  readonly #nodes = new Map<string, HostNode>();

  constructor(options: HostNodesOptions) {
    this.#options = options;
  }

  /** The edge node, if it was heard of. */
  get({ group, node }: NodeAddress): HostNode | undefined {
    return this.#nodes.get(`${group}/${node}`);
  }

  /**
   * Takes a message from the broker. Returns `undefined` where it is none an edge node sends:
   * STATE, commands, other topics.
   */
  deliver({ topic, payload, retained }: Delivery, at: Instant): NodeEffects | undefined {
    const parsed = parseTopic(topic);
    if (!parsed.ok || parsed.value.kind === 'STATE') return undefined;
    const { kind: verb, group, node, ...rest } = parsed.value;
    if (verb === 'NCMD' || verb === 'DCMD') return undefined;
    const address = { group, node };
    if (retained) {
      const message = `${topic} was retained: of an unknown time, it counts for nothing`;
      return refused(address, { code: 'message-retained', message });
    }
    const decoded = decodePayload(payload);
    if (!decoded.ok && this.get(address) === undefined) return refused(address, decoded.error);
    if (!decoded.ok) return this.#step(address, { kind: 'malformed', failure: decoded.error, at });
    const message = { verb, ...rest, payload: decoded.value, sizeBytes: payload.length };
    return this.#step(address, { kind: 'message', message, at });
  }

  /** To be called at the time an effect `wake` of that edge node names. */
  tick(address: NodeAddress, at: Instant): NodeEffects {
    if (this.get(address) === undefined) return { address, effects: [] };
    return this.#step(address, { kind: 'tick', at });
  }

  /** The host's own link came or went: all edge nodes are stale until born again. */
  *linkChanged(kind: 'link-up' | 'link-down', at: Instant): Generator<NodeEffects> {
    for (const { address } of this.#nodes.values()) yield this.#step(address, { kind, at });
  }

  /** Makes room: nothing is known any more of an edge node. */
  forget({ group, node }: NodeAddress): void {
    this.#nodes.delete(`${group}/${node}`);
  }

  #step(address: NodeAddress, input: HostNodeInput): NodeEffects {
    const key = `${address.group}/${address.node}`;
    const { nodesMax, node: options } = this.#options;
    const known = this.#nodes.get(key);
    if (known === undefined && this.#nodes.size >= nodesMax) {
      const message = `${key} is one edge node more than the ${nodesMax} there may be`;
      return refused(address, { code: 'too-many-nodes', message });
    }
    const { node, effects } = stepHostNode(known ?? createHostNode(address, options), input);
    this.#nodes.set(key, node);
    return { address, effects };
  }
}

function refused(address: NodeAddress, failure: Failure): NodeEffects {
  return { address, effects: [{ kind: 'refused', failure }] };
}
