import type { Stream } from '@libp2p/interface';
import type { Events } from '#runtime/observe/events.ts';
import { createFrameReader, encodeFrame } from './frames.ts';
import type { Lane, PeerKey, PeerLimits } from './peer-network.ts';
import { createSendQueue } from './send-queue.ts';

/** The stream that carries this node's messages to one peer. */
export interface OutgoingMessages {
  /** False where the peer reads too slowly and its queue is full. */
  send(message: Uint8Array, lane: Lane): boolean;
}

/** What is sent in one piece: more gains nothing, and a piece is copied. */
const PIECE_BYTES = 65_536;

/**
 * Sends while the stream takes it, and keeps a bounded queue for each lane while it does not. What
 * is sent in one turn goes out in one piece, since each piece is encrypted and written by itself.
 */
export function createOutgoingMessages(stream: Stream, limits: PeerLimits): OutgoingMessages {
  const queues = { prompt: createSendQueue(limits), bulk: createSendQueue(limits) };
  let isScheduled = false;

  const next = (): Uint8Array | undefined => {
    const lane = queues.prompt.length > 0 ? 'prompt' : 'bulk';
    const message = queues[lane].shift();
    return message && encodeFrame(message, lane);
  };

  function flush(): void {
    isScheduled = false;
    try {
      while (stream.status === 'open' && !stream.writableNeedsDrain) {
        const frames: Uint8Array[] = [];
        for (let sizeBytes = 0; sizeBytes < PIECE_BYTES; ) {
          const frame = next();
          if (frame === undefined) break;
          frames.push(frame);
          sizeBytes += frame.length;
        }
        if (frames.length === 0) return;
        stream.send(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
      }
    } catch (error) {
      // The connection below is closing and its streams have not been told yet.
      stream.abort(error instanceof Error ? error : new Error(`${error}`));
    }
  }

  stream.addEventListener('drain', flush);
  const clear = () => {
    for (const queue of Object.values(queues)) queue.clear();
  };
  stream.addEventListener('close', clear, { once: true });
  return {
    send(message, lane) {
      if (stream.status !== 'open' || !queues[lane].push(message)) return false;
      if (!isScheduled) queueMicrotask(flush);
      isScheduled = true;
      return true;
    },
  };
}

export interface IncomingOptions {
  readonly from: PeerKey;
  readonly limits: PeerLimits;
  readonly events: Events;
  onMessage(message: Uint8Array, lane: Lane): void;
  /** The peer sent what no correct peer sends. */
  onBreach(code: string): void;
}

/** Reads a peer's messages; each is handled before the next is read, so nothing piles up. */
export function readMessages(stream: Stream, options: IncomingOptions): void {
  const { from, limits, events, onMessage, onBreach } = options;
  const frames = createFrameReader(limits.messageSizeBytesMax);

  stream.addEventListener('message', ({ data }) => {
    const isSound = frames.read(data.subarray(), (message, lane) => {
      // The handler of an earlier message may have closed the stream.
      if (stream.status === 'open') onMessage(message, lane);
    });
    if (isSound || stream.status !== 'open') return;
    stream.abort(new Error('a frame announces more than the limit'));
    onBreach('frame-too-large');
  });
  const ended = () => {
    if (frames.isMidFrame) events.record('info', 'frame-truncated', { peer: from });
  };
  stream.addEventListener('close', ended, { once: true });
  stream.addEventListener(
    'remoteCloseWrite',
    () => stream.close().catch((error) => stream.abort(error)),
    { once: true },
  );
}
