import type { PeerLimits } from './peer-network.ts';

/** Messages that wait for one peer, first in first out, bounded in bytes and in count. */
export interface SendQueue {
  readonly length: number;
  readonly sizeBytes: number;
  /** False where it would not fit; then nothing changes. */
  push(message: Uint8Array): boolean;
  shift(): Uint8Array | undefined;
  clear(): void;
}

export function createSendQueue(
  limits: Pick<PeerLimits, 'queueSizeBytesMax' | 'queueLengthMax'>,
): SendQueue {
  let messages: Uint8Array[] = [];
  let first = 0;
  let sizeBytes = 0;

  return {
    get length() {
      return messages.length - first;
    },
    get sizeBytes() {
      return sizeBytes;
    },
    push(message) {
      const fits =
        messages.length - first < limits.queueLengthMax &&
        sizeBytes + message.length <= limits.queueSizeBytesMax;
      if (!fits) return false;
      messages.push(message);
      sizeBytes += message.length;
      return true;
    },
    shift() {
      const message = messages[first];
      if (message === undefined) return undefined;
      first++;
      sizeBytes -= message.length;
      // Shifting an array moves all of it: what was taken is cut off once it is half of it.
      if (first * 2 >= messages.length) {
        messages = messages.slice(first);
        first = 0;
      }
      return message;
    },
    clear() {
      messages = [];
      first = 0;
      sizeBytes = 0;
    },
  };
}
