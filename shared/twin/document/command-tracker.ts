import { type Failure, fail, ok, type Result } from '../../basics/result.ts';
import {
  COMMAND_TIMEOUT_MS_MAX,
  type CommandMessage,
  type CommandReply,
  commandIdSchema,
  commandSubjectSchema,
} from '../../wire/control.ts';
import { checkJson, type JsonValue, propertyLimits } from './json.ts';

/** Ids of commands that are over, kept to know late replies and repeated commands. */
const REMEMBERED_MAX = 256;

/** The commands of one device that wait for a reply. */
export interface CommandState {
  readonly inFlight: ReadonlyMap<string, { readonly deadlineMs: number }>;
  /** Oldest first. */
  readonly over: ReadonlySet<string>;
}

export type CommandInput =
  | {
      readonly kind: 'submitted';
      readonly nowMs: number;
      readonly id: string;
      readonly subject: string;
      readonly payload: JsonValue;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'replied'; readonly nowMs: number; readonly reply: CommandReply }
  | { readonly kind: 'tick'; readonly nowMs: number };

export type CommandEffect =
  | { readonly kind: 'publish'; readonly message: CommandMessage }
  /** To whoever waits: exactly once for each command that was published. */
  | { readonly kind: 'complete'; readonly id: string; readonly reply: CommandReply }
  | { readonly kind: 'time-out'; readonly id: string }
  /** A tick is wanted then. */
  | { readonly kind: 'wake'; readonly atMs: number }
  /** A reply nobody waits for any more, or never did. */
  | { readonly kind: 'ignore-reply'; readonly id: string; readonly reason: 'over' | 'unknown' };

export type CommandRejection = Failure<
  'command-invalid' | 'duplicate-command' | 'too-many-commands'
>;

export interface CommandStep {
  readonly state: CommandState;
  readonly effects: readonly CommandEffect[];
}

export const noCommands: CommandState = { inFlight: new Map(), over: new Set() };

/**
 * Sends commands and waits for their replies, each until its deadline, at most `inFlightMax` at a
 * time. An id is used once: a command or a reply that comes twice has no effect the second time.
 */
export function stepCommands(
  state: CommandState,
  input: CommandInput,
  inFlightMax: number,
): Result<CommandStep, CommandRejection> {
  switch (input.kind) {
    case 'submitted':
      return submit(state, input, inFlightMax);
    case 'replied':
      return ok(takeReply(state, input));
    case 'tick':
      return ok(expire(state, input.nowMs));
  }
}

function submit(
  state: CommandState,
  { nowMs, id, subject, payload, timeoutMs }: Extract<CommandInput, { kind: 'submitted' }>,
  inFlightMax: number,
): Result<CommandStep, CommandRejection> {
  const fault = findFault({ id, subject, payload, timeoutMs });
  if (fault !== undefined) return fail('command-invalid', fault);
  if (state.inFlight.has(id) || state.over.has(id)) {
    return fail('duplicate-command', `command ${id} was sent already; give each its own id`);
  }
  if (state.inFlight.size >= inFlightMax) {
    const mend = 'wait for one of them to end';
    return fail('too-many-commands', `${inFlightMax} commands wait for the device; ${mend}`);
  }
  const deadlineMs = nowMs + timeoutMs;
  const inFlight = new Map(state.inFlight).set(id, { deadlineMs });
  const message: CommandMessage = { v: 1, id, subject, payload, issuedMs: nowMs, deadlineMs };
  return ok({
    state: { ...state, inFlight },
    effects: [{ kind: 'publish', message }, ...wake(inFlight)],
  });
}

function takeReply(
  state: CommandState,
  { reply }: Extract<CommandInput, { kind: 'replied' }>,
): CommandStep {
  const { id } = reply;
  if (!state.inFlight.has(id)) {
    const reason = state.over.has(id) ? 'over' : 'unknown';
    return { state, effects: [{ kind: 'ignore-reply', id, reason }] };
  }
  return { state: withOver(state, [id]), effects: [{ kind: 'complete', id, reply }] };
}

function expire(state: CommandState, nowMs: number): CommandStep {
  const due = [...state.inFlight].flatMap(([id, { deadlineMs }]) =>
    deadlineMs <= nowMs ? [id] : [],
  );
  const next = due.length === 0 ? state : withOver(state, due);
  const timeOuts = due.map((id) => ({ kind: 'time-out', id }) as const);
  return { state: next, effects: [...timeOuts, ...wake(next.inFlight)] };
}

function withOver(state: CommandState, ids: readonly string[]): CommandState {
  const inFlight = new Map(state.inFlight);
  for (const id of ids) inFlight.delete(id);
  return { inFlight, over: new Set([...state.over, ...ids].slice(-REMEMBERED_MAX)) };
}

function wake(inFlight: CommandState['inFlight']): CommandEffect[] {
  if (inFlight.size === 0) return [];
  const deadlines = [...inFlight.values()].map(({ deadlineMs }) => deadlineMs);
  return [{ kind: 'wake', atMs: Math.min(...deadlines) }];
}

function findFault({
  id,
  subject,
  payload,
  timeoutMs,
}: Pick<Extract<CommandInput, { kind: 'submitted' }>, 'id' | 'subject' | 'payload' | 'timeoutMs'>):
  | string
  | undefined {
  const named = commandIdSchema.safeParse(id);
  if (!named.success) return `its id: ${named.error.issues[0]!.message}`;
  const about = commandSubjectSchema.safeParse(subject);
  if (!about.success) return `its subject: ${about.error.issues[0]!.message}`;
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > COMMAND_TIMEOUT_MS_MAX) {
    return `its timeout is a whole number of ms from 1 to ${COMMAND_TIMEOUT_MS_MAX}`;
  }
  const checked = checkJson(payload, propertyLimits);
  return checked.ok ? undefined : `its payload: ${checked.error.message}`;
}
