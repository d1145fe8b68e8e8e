import { z } from 'zod';

/** A byte string of plain data, over whatever buffer. */
export const bytesSchema = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array,
  'expected a byte string',
);
