import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CommandMessage, CommandReply } from '../../wire/control.ts';
import { emptyInbox, type InboxInput, stepInbox } from './command-inbox.ts';
import {
  type CommandEffect,
  type CommandInput,
  type CommandState,
  noCommands,
  stepCommands,
} from './command-tracker.ts';

const IN_FLIGHT_MAX = 3;

function submit(id: string, nowMs = 0, timeoutMs = 100): CommandInput {
  return { kind: 'submitted', nowMs, id, subject: 'valve/open', payload: { by: 1 }, timeoutMs };
}

function reply(id: string, status = 200): CommandReply {
  return { v: 1, id, status, payload: null };
}

function run(state: CommandState, ...inputs: CommandInput[]) {
  const effects: CommandEffect[] = [];
  let next = state;
  for (const input of inputs) {
    const step = stepCommands(next, input, IN_FLIGHT_MAX);
    assert.ok(step.ok, step.ok ? '' : step.error.message);
    next = step.value.state;
    effects.push(...step.value.effects);
  }
  return { state: next, effects };
}

function refusal(state: CommandState, input: CommandInput): string {
  const step = stepCommands(state, input, IN_FLIGHT_MAX);
  return step.ok ? 'was accepted' : step.error.code;
}

describe('command tracker', () => {
  it('sends a command and hands on its reply, once', () => {
    const { state, effects } = run(noCommands, submit('command-1', 5));
    assert.deepEqual(effects, [
      {
        kind: 'publish',
        message: {
          v: 1,
          id: 'command-1',
          subject: 'valve/open',
          payload: { by: 1 },
          issuedMs: 5,
          deadlineMs: 105,
        },
      },
      { kind: 'wake', atMs: 105 },
    ]);
    const answer = reply('command-1');
    const replied: CommandInput = { kind: 'replied', nowMs: 50, reply: answer };
    const after = run(state, replied, replied, { ...replied, reply: reply('command-2') });
    assert.deepEqual(after.effects, [
      { kind: 'complete', id: 'command-1', reply: answer },
      { kind: 'ignore-reply', id: 'command-1', reason: 'over' },
      { kind: 'ignore-reply', id: 'command-2', reason: 'unknown' },
    ]);
  });

  it('gives up at the deadline, and not before', () => {
    const { state } = run(noCommands, submit('command-1'), submit('command-2', 10));
    assert.deepEqual(run(state, { kind: 'tick', nowMs: 99 }).effects, [
      { kind: 'wake', atMs: 100 },
    ]);
    assert.deepEqual(run(state, { kind: 'tick', nowMs: 100 }).effects, [
      { kind: 'time-out', id: 'command-1' },
      { kind: 'wake', atMs: 110 },
    ]);
  });

  it('refuses what is too many, the same again, or not a command', () => {
    const { state } = run(noCommands, ...['a', 'b', 'c'].map((each) => submit(`command-${each}`)));
    assert.equal(refusal(state, submit('command-d')), 'too-many-commands');
    assert.equal(refusal(state, submit('command-a')), 'duplicate-command');
    const over = run(state, { kind: 'tick', nowMs: 1000 }).state;
    assert.equal(refusal(over, submit('command-a')), 'duplicate-command');
    const good = submit('command-z') as Extract<CommandInput, { kind: 'submitted' }>;
    for (const wrong of [
      { id: 'a/b' },
      { subject: 'a//b' },
      { subject: '#' },
      { timeoutMs: 0 },
      { timeoutMs: 3_600_001 },
      { payload: 'x'.repeat(5000) },
    ]) {
      assert.equal(refusal(noCommands, { ...good, ...wrong }), 'command-invalid');
    }
  });

  it('ends every command exactly once, within bounds of memory', () => {
    const input = fc.oneof(
      fc.record({ what: fc.constant('submit'), id: fc.nat(400), at: fc.nat(3) }),
      fc.record({ what: fc.constant('reply'), id: fc.nat(400), at: fc.nat(3) }),
      fc.record({ what: fc.constant('tick'), id: fc.nat(9), at: fc.nat(90) }),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 200 }), (inputs) => {
        let nowMs = 0;
        let state: CommandState = noCommands;
        const ends = new Map<string, number>();
        for (const { what, id: number, at } of [...inputs, { what: 'tick', id: 0, at: 1000 }]) {
          nowMs += at;
          const id = `command-${number}`;
          const step = stepCommands(
            state,
            what === 'submit'
              ? submit(id, nowMs)
              : what === 'reply'
                ? { kind: 'replied', nowMs, reply: reply(id) }
                : { kind: 'tick', nowMs },
            IN_FLIGHT_MAX,
          );
          if (!step.ok) continue;
          state = step.value.state;
          for (const effect of step.value.effects) {
            if (effect.kind === 'publish') ends.set(effect.message.id, 0);
            if (effect.kind === 'complete' || effect.kind === 'time-out') {
              ends.set(effect.id, ends.get(effect.id)! + 1);
            }
          }
          assert.ok(state.inFlight.size <= IN_FLIGHT_MAX && state.over.size <= 256);
        }
        assert.ok([...ends.values()].every((count) => count === 1));
      }),
    );
  });
});

describe('command inbox', () => {
  const message: CommandMessage = {
    v: 1,
    id: 'command-1',
    subject: 'valve/open',
    payload: null,
    issuedMs: 0,
    deadlineMs: 100,
  };
  const received: InboxInput = { kind: 'received', nowMs: 10, message };

  it('executes once, and replies as often as it is asked', () => {
    const first = stepInbox(emptyInbox, received);
    assert.deepEqual(first.effects, [{ kind: 'execute', message }]);
    const running = stepInbox(first.inbox, received);
    assert.deepEqual(running.effects, []);
    const done = stepInbox(running.inbox, { kind: 'done', reply: reply('command-1', 204) });
    const again = stepInbox(done.inbox, { ...received, nowMs: 500 });
    assert.deepEqual(again.effects, [{ kind: 'reply', reply: reply('command-1', 204) }]);
    assert.deepEqual(again.effects, done.effects);
  });

  it('does not begin after the deadline', () => {
    const late = stepInbox(emptyInbox, { ...received, nowMs: 100 });
    assert.deepEqual(late.effects, [{ kind: 'reply', reply: reply('command-1', 408) }]);
    let { inbox } = late;
    for (let i = 0; i < 200; i++) {
      const each = { ...message, id: `command-${i}` };
      inbox = stepInbox(inbox, { kind: 'received', nowMs: 100, message: each }).inbox;
      assert.ok(inbox.replies.size <= 65);
    }
  });

  it('remembers no more than it has room for, and nothing running is forgotten', () => {
    let inbox = emptyInbox;
    const statuses: (number | 'execute')[] = [];
    for (let i = 0; i < 200; i++) {
      const each = { ...message, id: `command-${i}` };
      const step = stepInbox(inbox, { ...received, message: each });
      inbox = step.inbox;
      for (const effect of step.effects) {
        statuses.push(effect.kind === 'execute' ? 'execute' : effect.reply.status);
      }
      if (i < 100) inbox = stepInbox(inbox, { kind: 'done', reply: reply(each.id) }).inbox;
      assert.ok(inbox.replies.size <= 65);
    }
    assert.equal(statuses.filter((status) => status === 'execute').length, 164);
    assert.equal(statuses.filter((status) => status === 503).length, 36);
  });
});
