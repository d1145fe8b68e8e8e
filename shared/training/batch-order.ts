import { type Random, shuffledIndices } from '../basics/seeded-random.ts';

/**
 * The minibatches of one pass over `count` examples in a new random order: row numbers
 * [steps, batchSize], the last ones -1 where the batches do not come out even.
 */
export function shuffledBatches(
  count: number,
  batchSize: number,
  random: Random,
): BigInt64Array<ArrayBuffer> {
  const order = new BigInt64Array(Math.ceil(count / batchSize) * batchSize).fill(-1n);
  shuffledIndices(count, random).forEach((row, index) => {
    order[index] = BigInt(row);
  });
  return order;
}
