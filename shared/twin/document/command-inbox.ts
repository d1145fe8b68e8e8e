import type { CommandMessage, CommandReply } from '../../wire/control.ts';

/** Commands a device remembers; of older ones it would not know that they came before. */
const REMEMBERED_MAX = 64;

/** What a device knows of its commands: those it was given, and what it replied. */
export interface CommandInbox {
  /** Oldest first; `undefined` while the command runs. */
  readonly replies: ReadonlyMap<string, CommandReply | undefined>;
}

export type InboxInput =
  | { readonly kind: 'received'; readonly nowMs: number; readonly message: CommandMessage }
  | { readonly kind: 'done'; readonly reply: CommandReply };

export type InboxEffect =
  | { readonly kind: 'execute'; readonly message: CommandMessage }
  | { readonly kind: 'reply'; readonly reply: CommandReply };

export interface InboxStep {
  readonly inbox: CommandInbox;
  readonly effects: readonly InboxEffect[];
}

export const emptyInbox: CommandInbox = { replies: new Map() };

/**
 * The device's side of commands: each is executed once, however often it is delivered, and what was
 * replied is replied again. One that comes after its deadline is not begun but answered with 408;
 * one that comes while as many run as are remembered, with 503.
 */
export function stepInbox(inbox: CommandInbox, input: InboxInput): InboxStep {
  if (input.kind === 'done') {
    const { reply } = input;
    if (!inbox.replies.has(reply.id)) return { inbox, effects: [] };
    return answer(inbox, reply);
  }
  const { id, deadlineMs } = input.message;
  if (inbox.replies.has(id)) {
    const reply = inbox.replies.get(id);
    return { inbox, effects: reply === undefined ? [] : [{ kind: 'reply', reply }] };
  }
  if (input.nowMs >= deadlineMs) return answer(inbox, { v: 1, id, status: 408, payload: null });
  const oldest = [...inbox.replies].find(([, reply]) => reply !== undefined)?.[0];
  const replies = new Map(inbox.replies);
  if (replies.size >= REMEMBERED_MAX) {
    if (oldest === undefined) {
      const busy: CommandReply = { v: 1, id, status: 503, payload: null };
      return { inbox, effects: [{ kind: 'reply', reply: busy }] };
    }
    replies.delete(oldest);
  }
  replies.set(id, undefined);
  return { inbox: { replies }, effects: [{ kind: 'execute', message: input.message }] };
}

function answer(inbox: CommandInbox, reply: CommandReply): InboxStep {
  const replies = new Map(inbox.replies).set(reply.id, reply);
  const oldest = [...replies].find(([id, each]) => each !== undefined && id !== reply.id)?.[0];
  if (replies.size > REMEMBERED_MAX && oldest !== undefined) replies.delete(oldest);
  return { inbox: { replies }, effects: [{ kind: 'reply', reply }] };
}
