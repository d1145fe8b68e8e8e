import { z } from 'zod';
import { ok, type Result } from '../../basics/result.ts';
import { encodeCanonical } from '../../codec/canonical.ts';
import {
  type AccountKey,
  type AccountSigner,
  accountIdOf,
  accountKeySchema,
} from '../../identity/account-key.ts';
import type { KeyId } from '../../identity/keys.ts';
import { type Signature, signatureSchema } from '../../identity/signature.ts';
import { nameSchema } from '../../wire/names.ts';
import { contractEntry, type Rejection, type RuleContext, reject } from './rule.ts';
import {
  change,
  createOverlay,
  type Entities,
  readState,
  type StateView,
  type StateWrites,
} from './state.ts';
import { type Enrolment, spendVoucher, voucherUseSchema } from './vouchers.ts';

const ROTATION_CONTEXT = 'diten/ledger/rotation/v1';

const enrolSchema = z.strictObject({
  device: nameSchema,
  key: accountKeySchema,
  /** Null where an operator signs. */
  voucher: voucherUseSchema.nullable(),
  /** Whether the device is there already, and gets a new key: after a swapped SD card. */
  replaces: z.boolean(),
});
type Enrol = z.infer<typeof enrolSchema>;

const rotateSchema = z.strictObject({
  device: nameSchema,
  key: accountKeySchema,
  /** The new key's: {@link proveRotation}. */
  proof: signatureSchema,
});

const endSchema = z.strictObject({ device: nameSchema, reason: z.string().min(1).max(200) });

/** Which key speaks for a device, and whether it may. */
export const deviceContract = {
  'device.enrol': contractEntry({
    body: enrolSchema,
    signedBy: ['operator', 'new-device'],
    rule: enrol,
  }),
  'device.rotate': contractEntry({ body: rotateSchema, signedBy: ['device'], rule: rotate }),
  /** Until an operator enrols the device again with `replaces`, be it with the same key. */
  'device.suspend': contractEntry({
    body: endSchema,
    signedBy: ['operator'],
    rule: (view, { device }, { height }) => {
      const known = readState(view, 'device', device);
      if (known === undefined) return unknownDevice(device);
      if (known.status !== 'active') return notActive(device);
      const suspended = { ...known, status: 'suspended', sinceHeight: height } as const;
      return ok(new Map([change('device', device, suspended)]));
    },
  }),
  /** For good: its key is not known any more. */
  'device.revoke': contractEntry({
    body: endSchema,
    signedBy: ['operator'],
    rule: (view, { device }, { height }) => {
      const known = readState(view, 'device', device);
      if (known === undefined) return unknownDevice(device);
      if (known.status === 'revoked') return notActive(device);
      return ok(
        new Map([
          change('device', device, { ...known, status: 'revoked', sinceHeight: height }),
          change('key', accountIdOf(known.key), undefined),
        ]),
      );
    },
  }),
};

/** The new key's signature for a rotation: it is really there. */
export function proveRotation(
  newKey: AccountSigner,
  chainId: string,
  { device, key }: Enrolment,
): Signature {
  return newKey.sign(ROTATION_CONTEXT, encodeCanonical({ v: 1, chainId, device, key }));
}

/** Why a transaction about this device is refused, or undefined where it is active. */
export function refusalOf(view: StateView, device: string): Result<never, Rejection> | undefined {
  const known = readState(view, 'device', device);
  if (known === undefined) return unknownDevice(device);
  return known.status === 'active' ? undefined : notActive(device);
}

/**
 * As {@link refusalOf}, but a device that was never enrolled passes: an edge node answers for those
 * it hosts, enrolled or not, and only what was suspended or revoked is barred.
 */
export function barOf(view: StateView, device: string): Result<never, Rejection> | undefined {
  return readState(view, 'device', device) === undefined ? undefined : refusalOf(view, device);
}

function enrol(view: StateView, body: Enrol, context: RuleContext): Result<StateWrites, Rejection> {
  const { device, key, voucher, replaces } = body;
  const known = readState(view, 'device', device);
  if (known !== undefined && !replaces) {
    return reject('device-exists', `"${device}" is enrolled; set "replaces" to give it a new key`);
  }
  if (known === undefined && replaces) return unknownDevice(device);
  if (isTaken(view, accountIdOf(key), device)) return keyTaken();
  const state = createOverlay(view);
  if (context.signer.role === 'new-device') {
    // Whoever suspended or revoked it did not hand out vouchers against that.
    if (known !== undefined && known.status !== 'active') return notActive(device);
    const use = { voucher: voucher!.key, device, isNew: known === undefined };
    const spent = spendVoucher(view, use, context);
    if (!spent.ok) return spent;
    state.write(spent.value);
  }
  state.write(keyWrites(known, { device, key }, context));
  return ok(state.writes);
}

function rotate(
  view: StateView,
  { device, key, proof }: z.infer<typeof rotateSchema>,
  context: RuleContext,
): Result<StateWrites, Rejection> {
  const { chainId, signer, verify } = context;
  if (signer.name !== device) return reject('not-permitted', 'a device rotates its own key only');
  const refusal = refusalOf(view, device);
  if (refusal !== undefined) return refusal;
  const keyId = accountIdOf(key);
  if (keyId === signer.keyId) return reject('unchanged', 'the device has this key already');
  if (isTaken(view, keyId, device)) return keyTaken();
  const message = encodeCanonical({ v: 1, chainId, device, key });
  if (!verify({ key, context: ROTATION_CONTEXT, message, signature: proof })) {
    return reject('wrong-proof', 'the new key did not sign its rotation');
  }
  return ok(keyWrites(readState(view, 'device', device), { device, key }, context));
}

/** The device with the key in place of the one it had. */
function keyWrites(
  known: Entities['device'] | undefined,
  { device, key }: { device: string; key: AccountKey },
  { height }: RuleContext,
): StateWrites {
  const writes = new Map([
    change('device', device, { key, status: 'active', sinceHeight: height }),
  ]);
  if (known !== undefined) writes.set(...change('key', accountIdOf(known.key), undefined));
  writes.set(...change('key', accountIdOf(key), { device, key }));
  return writes;
}

/** Whether the key speaks for somebody else than the device. */
function isTaken(view: StateView, keyId: KeyId, device: string): boolean {
  return (
    (readState(view, 'key', keyId)?.device ?? device) !== device ||
    readState(view, 'validator', keyId) !== undefined ||
    readState(view, 'operator', keyId) !== undefined
  );
}

function keyTaken(): Result<never, Rejection> {
  return reject('key-taken', "the key is another's already; have the device make one of its own");
}

function unknownDevice(device: string): Result<never, Rejection> {
  return reject('unknown-device', `"${device}" is not enrolled`);
}

function notActive(device: string): Result<never, Rejection> {
  return reject('device-not-active', `"${device}" is suspended or revoked`);
}
