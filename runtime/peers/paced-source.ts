import type { Stream } from '@libp2p/interface';

/**
 * A stream's bytes, read only as fast as they are taken: while a chunk is being worked on the
 * stream is paused, and the peer's window fills up. (A stream's own iterator buffers without end.)
 * `onGivenUp` is told where the taker stops before the stream has ended.
 */
export function createPacedSource(
  stream: Stream,
  onGivenUp: () => void,
): AsyncIterable<Uint8Array> {
  let chunk: Uint8Array | undefined;
  let hasEnded = false;
  let wake: (() => void) | undefined;

  const end = () => {
    hasEnded = true;
    wake?.();
  };
  stream.addEventListener('message', ({ data }) => {
    chunk = chunk === undefined ? data.subarray() : Buffer.concat([chunk, data.subarray()]);
    if (stream.readStatus === 'readable') stream.pause();
    wake?.();
  });
  stream.addEventListener('end', end, { once: true });
  stream.addEventListener('close', end, { once: true });

  async function next(): Promise<IteratorResult<Uint8Array>> {
    for (;;) {
      if (chunk !== undefined) {
        const value = chunk;
        chunk = undefined;
        return { done: false, value };
      }
      if (hasEnded) return { done: true, value: undefined };
      if (stream.readStatus === 'paused') stream.resume();
      if (chunk === undefined && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  async function giveUp(): Promise<IteratorResult<Uint8Array>> {
    if (!hasEnded) onGivenUp();
    return { done: true, value: undefined };
  }

  return { [Symbol.asyncIterator]: () => ({ next, return: giveUp }) };
}
