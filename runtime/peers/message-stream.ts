import type { Stream } from '@libp2p/interface';
import type { Events } from '#runtime/observe/events.ts';
import { createFrameReader, encodeFrame } from './frames.ts';
import type { PeerKey, PeerLimits } from './peer-network.ts';
import { createSendQueue } from './send-queue.ts';

/** The stream that carries this node's messages to one peer. */
export interface OutgoingMessages {
  /** False where the peer reads too slowly and its queue is full. */
  send(message: Uint8Array): boolean;
}

/** What is sent in one piece: more gains nothing, and a piece is copied. */
const PIECE_BYTES = 65_536;

/**
 * Sends while the stream takes it, and keeps a bounded queue while it does not. What is sent in one
 * turn goes out in one piece, since each piece is encrypted and written by itself.
 */
export function createOutgoingMessages(stream: Stream, limits: PeerLimits): OutgoingMessages {
  const queue = createSendQueue(limits);
  let isScheduled = false;

  function flush(): void {
    isScheduled = false;
    try {
      while (queue.length > 0 && stream.status === 'open' && !stream.writableNeedsDrain) {
        const frames: Uint8Array[] = [];
        for (let sizeBytes = 0; queue.length > 0 && sizeBytes < PIECE_BYTES; ) {
          const frame = encodeFrame(queue.shift()!);
          frames.push(frame);
          sizeBytes += frame.length;
        }
        stream.send(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
      }
    } catch (error) {
      // The connection below is closing and its streams have not been told yet.
      stream.abort(error instanceof Error ? error : new Error(`${error}`));
    }
  }

  stream.addEventListener('drain', flush);
  stream.addEventListener('close', () => queue.clear(), { once: true });
  return {
    send(message) {
      if (stream.status !== 'open' || !queue.push(message)) return false;
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
  onMessage(message: Uint8Array): void;
  /** The peer sent what no correct peer sends. */
  onBreach(code: string): void;
}

/** Reads a peer's messages; each is handled before the next is read, so nothing piles up. */
export function readMessages(stream: Stream, options: IncomingOptions): void {
  const { from, limits, events, onMessage, onBreach } = options;
  const frames = createFrameReader(limits.messageSizeBytesMax);

  stream.addEventListener('message', ({ data }) => {
    const isSound = frames.read(data.subarray(), (message) => {
      // The handler of an earlier message may have closed the stream.
      if (stream.status === 'open') onMessage(message);
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
