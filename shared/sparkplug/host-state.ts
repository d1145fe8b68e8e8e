import { z } from 'zod';
import { type Failure, fail, ok, type Result } from '../basics/result.ts';
import type { Publication } from './publication.ts';
import { formatTopic } from './topic.ts';

/** What a host application says of itself (Sparkplug 3.0, 6.4.26). */
export interface HostState {
  readonly online: boolean;
  /** Wall time of the host's CONNECT, or of its farewell; milliseconds since 1970. */
  readonly timestampMs: number;
}

const BYTES_MAX = 4096;

const stateSchema = z.object({ online: z.boolean(), timestamp: z.int().nonnegative() });

/** The STATE message of a host application: its birth, its death and its will. */
export function statePublication(host: string, { online, timestampMs }: HostState): Publication {
  const json = JSON.stringify({ online, timestamp: timestampMs });
  return {
    topic: formatTopic({ kind: 'STATE', host }),
    payload: new TextEncoder().encode(json),
    qos: 1,
    retain: true,
  };
}

/** Errors: `state-malformed`, the plain ONLINE and OFFLINE of Sparkplug 2 among it. */
export function decodeHostState(
  payload: Uint8Array,
): Result<HostState, Failure<'state-malformed'>> {
  const json = payload.length > BYTES_MAX ? undefined : parseJson(payload);
  const state = stateSchema.safeParse(json);
  if (state.success) {
    return ok({ online: state.data.online, timestampMs: state.data.timestamp });
  }
  return fail(
    'state-malformed',
    'a STATE message is not {"online": boolean, "timestamp": milliseconds}; the host application ' +
      'may speak an older Sparkplug than 3.0',
  );
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
}
