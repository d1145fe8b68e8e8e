import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ProgramError } from '#runtime/process/program-error.ts';
import type { Capture } from '#shared/sparkplug/conformance/capture.ts';

const time = z.union([
  z.number().finite(),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);
const common = { at: time };
const sent = {
  topic: z.string(),
  qos: z.int().min(0).max(2),
  retain: z.boolean().optional(),
  payload_b64: z.base64().default(''),
};
const publish = z.object({
  ...common,
  ...sent,
  kind: z.literal('publish').default('publish'),
  client: z.string().optional(),
  kept: z.boolean().optional(),
});
const ofClient = { ...common, client: z.string() };
const event = z.union([
  publish,
  z.object({ ...ofClient, ...sent, kind: z.literal('will') }),
  z.object({
    ...ofClient,
    kind: z.literal('connect'),
    protocol: z.union([z.literal(4), z.literal(5)]),
    clean: z.boolean(),
    sessionExpirySeconds: z.int().min(0).optional(),
  }),
  z.object({ ...ofClient, kind: z.literal('subscribe'), topic: z.string(), qos: z.int() }),
  z.object({ ...ofClient, kind: z.literal('disconnect'), reason: z.int().optional() }),
]);
const file = z.object({ messages: z.array(event) });

/**
 * Reads `{ "messages": [{ topic, qos, retain, payload_b64, at }] }`; `at` is ISO 8601, or
 * milliseconds since 1970. Events of other kinds have `kind` and what `CaptureEvent` has.
 *
 * Errors: {@link ProgramError} `capture-unreadable`, `capture-invalid`.
 */
export function readCapture(path: string): Capture {
  const parsed = file.safeParse(readJson(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const message = `${path}: not a capture: ${issue?.path.join('.')}: ${issue?.message}`;
    throw new ProgramError('capture-invalid', message);
  }
  return parsed.data.messages.map((one) => {
    if (!('payload_b64' in one)) return withoutUndefined(one);
    const { payload_b64: base64, ...rest } = one;
    return { ...withoutUndefined(rest), payload: Buffer.from(base64, 'base64') };
  }) as Capture;
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ProgramError('capture-unreadable', `${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProgramError('capture-invalid', `${path}: not JSON; record it again`, { cause });
  }
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
