const PREFIX_BYTES = 4;

/** The bytes of a message with their count before them: 4 bytes, big endian. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(PREFIX_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Cuts a stream of bytes into the messages that {@link encodeFrame} made. */
export interface FrameReader {
  /** Whether part of a frame has come and the rest has not. */
  readonly isMidFrame: boolean;
  /**
   * Hands each message that the chunk completes to `take`, in memory of its own. False where a
   * frame announces more than the limit: nothing after it can be read.
   */
  read(chunk: Uint8Array, take: (message: Uint8Array) => void): boolean;
}

export function createFrameReader(messageSizeBytesMax: number): FrameReader {
  const prefix = new Uint8Array(PREFIX_BYTES);
  let body: Uint8Array | undefined;
  let filled = 0;

  return {
    get isMidFrame() {
      return body !== undefined || filled > 0;
    },
    read(chunk, take) {
      for (let at = 0; at < chunk.length || filled === body?.length; ) {
        const target: Uint8Array = body ?? prefix;
        const part = chunk.subarray(at, at + target.length - filled);
        target.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled < target.length) return true;
        filled = 0;
        if (body === undefined) {
          const sizeBytes = new DataView(prefix.buffer).getUint32(0);
          if (sizeBytes > messageSizeBytesMax) return false;
          body = new Uint8Array(sizeBytes);
        } else {
          const message = body;
          body = undefined;
          take(message);
        }
      }
      return true;
    },
  };
}
