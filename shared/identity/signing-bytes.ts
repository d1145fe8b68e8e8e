/** What a key signs, or is hashed, as. Bytes made for one context mean nothing in another. */
export type SigningContext =
  | 'diten/key/ed25519/v1'
  | 'diten/key/p256/v1'
  | 'diten/ledger/block/v1'
  | 'diten/ledger/proposal/v1'
  | 'diten/ledger/rotation/v1'
  | 'diten/ledger/transaction/v1'
  | 'diten/ledger/vote/v1'
  | 'diten/ledger/voucher/v1';

/** The context in ASCII, a zero byte, and the message. No context holds a zero byte. */
export function signingBytes(context: SigningContext, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(context.length + 1 + message.length);
  for (let i = 0; i < context.length; i++) bytes[i] = context.charCodeAt(i);
  bytes.set(message, context.length + 1);
  return bytes;
}
