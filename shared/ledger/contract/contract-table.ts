import type { z } from 'zod';
import { deviceContract } from './devices.ts';
import { evidenceContract } from './evidence.ts';
import { grantContract } from './grants.ts';
import { membershipContract } from './membership.ts';
import { modelContract } from './models.ts';
import type { Role, Rule } from './rule.ts';
import { twinContract } from './twins.ts';
import { voucherContract } from './vouchers.ts';

const contract = {
  ...membershipContract,
  ...deviceContract,
  ...voucherContract,
  ...grantContract,
  ...twinContract,
  ...modelContract,
  ...evidenceContract,
};

/** What a transaction may be. */
export type TransactionType = keyof typeof contract;

export type BodyOf<Type extends TransactionType> = z.infer<(typeof contract)[Type]['body']>;

/** The schema of a type's body, where there is such a type. */
export function bodySchemaOf(type: string): z.ZodType | undefined {
  return Object.hasOwn(contract, type) ? contract[type as TransactionType].body : undefined;
}

/** Who may sign a type, and its rule; the body has passed the type's schema. */
export function contractOf(type: TransactionType): {
  readonly signedBy: readonly Role[];
  readonly rule: Rule<never>;
} {
  return contract[type];
}
