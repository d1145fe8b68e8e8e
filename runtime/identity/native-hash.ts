import { hash } from 'node:crypto';
import type { Sha256 } from '#shared/identity/digest.ts';

/** SHA-256 by OpenSSL: of 1 KiB in 1.5 us, where portable code takes 12. */
export const sha256Natively: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');
