import { createCipheriv } from 'node:crypto';
import { assert } from '#shared/basics/assert.ts';

/** Bytes of a seed. */
export const NOISE_SEED_BYTES = 32;

export interface GaussianNoise {
  /**
   * Fills arrays one after the other with independent values of mean 0 and this standard deviation.
   * The same seed and step give the same values, whatever came before.
   */
  fill(into: readonly Float32Array[], step: number, deviation: number): void;
}

/** Of key stream made at a time. */
const BLOCK_BYTES = 65_536;

/**
 * Values out of the key stream of AES-256 in counter mode (NIST SP 800-38A, 6.5) under the seed,
 * with the step in the counter's upper half, by the transform of Box & Muller (Annals of
 * Mathematical Statistics 29, 1958) from uniform numbers of 53 bits.
 */
export function createGaussianNoise(seed: Uint8Array): GaussianNoise {
  assert(seed.length === NOISE_SEED_BYTES, `a noise seed has ${NOISE_SEED_BYTES} bytes`);
  return {
    fill(into, step, deviation) {
      const next = pairs(seed, step);
      for (const values of into) {
        for (let i = 0; i < values.length; i += 2) {
          const [first, second] = next();
          values[i] = first * deviation;
          // Past the end of an odd number of values nothing is written.
          values[i + 1] = second * deviation;
        }
      }
    },
  };
}

/** Pairs of independent standard normal values. */
function pairs(seed: Uint8Array, step: number): () => [number, number] {
  const counter = Buffer.alloc(16);
  counter.writeBigUInt64BE(BigInt(step));
  const cipher = createCipheriv('aes-256-ctr', seed, counter);
  const zeros = Buffer.alloc(BLOCK_BYTES);
  let words = new DataView(new ArrayBuffer(0));
  let position = 0;
  const uniform = (): number => {
    const high = words.getUint32(position, true) >>> 5;
    const low = words.getUint32(position + 4, true) >>> 6;
    position += 8;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };
  return () => {
    if (position === words.byteLength) {
      const block = cipher.update(zeros);
      words = new DataView(block.buffer, block.byteOffset, block.length);
      position = 0;
    }
    // From above 0 to 1, so that the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  };
}
