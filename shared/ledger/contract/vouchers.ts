import { z } from 'zod';
import { ok, type Result } from '../../basics/result.ts';
import { encodeCanonical } from '../../codec/canonical.ts';
import { type AccountKey, ed25519Of, type VerifyAccount } from '../../identity/account-key.ts';
import { type PublicKey, publicKeySchema } from '../../identity/keys.ts';
import { type Signer, signatureSchema } from '../../identity/signature.ts';
import { nameSchema } from '../../wire/names.ts';
import { contractEntry, type Rejection, type RuleContext, reject } from './rule.ts';
import { change, readState, type StateView, type StateWrites } from './state.ts';

const CONTEXT = 'diten/ledger/voucher/v1';

const issueSchema = z.strictObject({
  /** Whoever has the private key may enrol a device with it. */
  voucher: publicKeySchema,
  /** The device it is for, which may be enrolled already; null where it is for any new one. */
  device: nameSchema.nullable(),
  uses: z.int().min(1).max(10_000),
  /** Against the time of the block. */
  notAfterMs: z.int().min(0),
});

/** A voucher's key and its signature over what it is used for: {@link signWithVoucher}. */
export const voucherUseSchema = z.strictObject({
  key: publicKeySchema,
  signature: signatureSchema,
});

export type VoucherUse = z.infer<typeof voucherUseSchema>;

/** What a voucher is used for. */
export interface Enrolment {
  readonly device: string;
  readonly key: AccountKey;
}

export const voucherContract = {
  'voucher.issue': contractEntry({
    body: issueSchema,
    signedBy: ['operator'],
    rule: (view, { voucher, device, uses, notAfterMs }, { timeMs }) => {
      if (readState(view, 'voucher', voucher) !== undefined) {
        return reject('voucher-exists', 'this voucher was issued before; make another');
      }
      if (notAfterMs <= timeMs) {
        return reject('voucher-expired', 'the voucher is over before it begins');
      }
      return ok(new Map([change('voucher', voucher, { device, usesLeft: uses, notAfterMs })]));
    },
  }),
};

/** The use of a voucher by whoever has its private key. */
export function signWithVoucher(
  voucher: Signer,
  chainId: string,
  { device, key }: Enrolment,
): VoucherUse {
  const signature = voucher.sign(CONTEXT, encodeCanonical({ v: 1, chainId, device, key }));
  return { key: voucher.publicKey, signature };
}

/** Whether the holder of a voucher on the ledger meant it for this enrolment on this chain. */
export function isVouchedFor(
  view: StateView,
  { use, device, key }: Enrolment & { readonly use: VoucherUse },
  { chainId, verify }: { readonly chainId: string; readonly verify: VerifyAccount },
): boolean {
  if (readState(view, 'voucher', use.key) === undefined) return false;
  const message = encodeCanonical({ v: 1, chainId, device, key });
  return ed25519Of(verify)({
    ...{ publicKey: use.key, context: CONTEXT },
    ...{ message, signature: use.signature },
  });
}

/** A known voucher with one use fewer, or why it does not do for the device. */
export function spendVoucher(
  view: StateView,
  { voucher, device, isNew }: { voucher: PublicKey; device: string; isNew: boolean },
  { timeMs }: RuleContext,
): Result<StateWrites, Rejection> {
  const known = readState(view, 'voucher', voucher)!;
  if (timeMs > known.notAfterMs) return reject('voucher-expired', 'the voucher has expired');
  if (known.usesLeft === 0) return reject('voucher-spent', 'the voucher was used up');
  // Else a voucher for new devices would take over those that are there.
  if (known.device === null ? !isNew : known.device !== device) {
    return reject('voucher-for-another', `the voucher is not for "${device}"; issue one that is`);
  }
  return ok(new Map([change('voucher', voucher, { ...known, usesLeft: known.usesLeft - 1 })]));
}
