import type { GossipSubComponents } from '@libp2p/gossipsub';
import type { Connection, Libp2p, Logger, Stream, Topology } from '@libp2p/interface';
import type { Events } from '#runtime/observe/events.ts';
import { endWith } from './end-connection.ts';
import { openStream } from './open-stream.ts';
import { createPacedSource } from './paced-source.ts';
import { peerKeyOf } from './peer-identity.ts';
import type { PeerKey } from './peer-network.ts';

export interface GossipStreamOptions {
  readonly node: Libp2p;
  /** Whether the connection is the one the peer's link is on. */
  isLinked(connection: Connection): boolean;
  onBreach(peer: PeerKey, code: string): void;
}

/** What gossipsub sees of the node: the peers it is told of, over streams that are looked after. */
export interface GossipStreams {
  readonly registrar: GossipSubComponents['registrar'];
  readonly topologies: readonly Topology[];
  /** The connection as gossipsub is to use it. */
  guard(connection: Connection): Connection;
}

/**
 * Takes the place of libp2p's registrar, which learns from identify whom to tell of: every peer
 * here speaks the same protocols, so nobody need say what it speaks. A stream to a peer that breaks
 * takes its connection along, since gossipsub would not open another.
 */
export function createGossipStreams(options: GossipStreamOptions): GossipStreams {
  const { node, isLinked, onBreach } = options;
  const topologies: Topology[] = [];

  function guard(connection: Connection): Connection {
    const newStream: Connection['newStream'] = async (protocols, streamOptions) => {
      const stream = await openStream(connection, protocols, streamOptions);
      // Gossipsub keeps the first stream it gets to a peer: one of a link that was replaced
      // meanwhile would end with it, and the next link have none.
      if (!isLinked(connection) || stream.status !== 'open') {
        stream.abort(new Error('the link was lost or replaced'));
        throw new Error('the link was lost or replaced while its stream was opened');
      }
      endWith(stream, connection, 'the stream of published messages closed');
      return stream;
    };
    // What gossipsub reads of a connection, and no more.
    const { remotePeer, remoteAddr, direction } = connection;
    const seen = { remotePeer, remoteAddr, direction, status: connection.status, newStream };
    return seen as Partial<Connection> as Connection;
  }

  const registrar: Partial<GossipSubComponents['registrar']> = {
    async handle(protocol, handler, limits) {
      const take = (stream: Stream, connection: Connection) => {
        const peer = peerKeyOf(connection.remotePeer);
        if (peer === undefined || !isLinked(connection)) {
          stream.abort(new Error('not the connection in use'));
          return;
        }
        const onGivenUp = () => onBreach(peer, 'gossip-frame-wrong');
        void handler(pace(stream, onGivenUp), guard(connection));
      };
      await node.handle(protocol, take, limits);
    },
    async unhandle(protocol) {
      await node.unhandle(protocol);
    },
    async register(_protocol, topology) {
      if (!topologies.includes(topology)) topologies.push(topology);
      return '';
    },
    unregister() {
      topologies.length = 0;
    },
  };
  return { registrar: registrar as GossipSubComponents['registrar'], topologies, guard };
}

/** What gossipsub uses of a stream it reads. */
function pace(stream: Stream, onGivenUp: () => void): Stream {
  const seen: Partial<Stream> = {
    [Symbol.asyncIterator]: () => createPacedSource(stream, onGivenUp)[Symbol.asyncIterator](),
    close: (closeOptions) => stream.close(closeOptions),
    abort: (error) => stream.abort(error),
  };
  return seen as Stream;
}

/** Gossipsub says only in its log that it could not decode what a peer sent. */
export function createGossipLogger(events: Events): Logger {
  const log = (what: unknown) => {
    if (what instanceof Error) events.record('warn', 'gossip-malformed', { error: what.message });
  };
  const quiet = (what: unknown) => {
    if (what instanceof Error) events.record('info', 'gossip-stream-ended');
  };
  const logger: Logger = Object.assign(log, {
    error: quiet,
    trace: () => undefined,
    enabled: false,
    newScope: () => logger,
  });
  return logger;
}
