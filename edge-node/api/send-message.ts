import { COMMAND_TIMEOUT_MS_MAX } from '#shared/wire/control.ts';
import { ApiFailure, apiErrors } from './api-error.ts';
import { type Call, existing, namedThing } from './call.ts';
import { readDuration, readMessageBody } from './request-facts.ts';

/** As Ditto's. */
const TIMEOUT_DEFAULT_MS = 10_000;
const WAIT_MS_MAX = 60_000;
/** How long a device may take for what nobody waits for. */
const UNWATCHED_MS = 60_000;
const BODILESS = [204, 205, 304];

/**
 * POST to the inbox of a thing, or of a feature: a command for its device. Answers with the
 * device's reply, 408 where none came within `timeout`, or, with `timeout=0`, 202 at once.
 */
export async function sendMessage(call: Call, subject: string): Promise<Response> {
  const { options, request, query } = call;
  const { thingId } = namedThing(call);
  const timeoutMs = readDuration(query, 'timeout', 1000) ?? TIMEOUT_DEFAULT_MS;
  if (timeoutMs > Math.min(WAIT_MS_MAX, COMMAND_TIMEOUT_MS_MAX)) {
    throw new ApiFailure(apiErrors.queryInvalid('timeout', 'it is at most 60s'));
  }
  const payload = await readMessageBody(request);
  const { device } = existing(call);
  const command = { subject, payload, timeoutMs: timeoutMs === 0 ? UNWATCHED_MS : timeoutMs };
  const sent = options.commands.send(device, command);
  if (!sent.ok) {
    const { code, message } = sent.error;
    throw new ApiFailure(
      code === 'command-invalid'
        ? apiErrors.bodyInvalid(message)
        : apiErrors.tooManyMessages(message),
    );
  }
  if (timeoutMs === 0) return new Response(null, { status: 202 });
  const outcome = await sent.value;
  if (outcome === 'timed-out') throw new ApiFailure(apiErrors.messageTimeout(thingId));
  const { status, payload: reply } = outcome;
  if (BODILESS.includes(status)) return new Response(null, { status });
  return Response.json(reply, { status });
}
