import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  commandOfTopic,
  commandReplyTopic,
  commandsOf,
  commandTopic,
  everyCommandReply,
} from './command-topics.ts';
import { deviceOfTopic } from './topics.ts';

describe('command topics', () => {
  it('name device and command', () => {
    const named = { device: 'mote-1', id: 'command-1' };
    for (const topicOf of [commandTopic, commandReplyTopic]) {
      const topic = topicOf('lab', 'mote-1', 'command-1');
      assert.deepEqual(commandOfTopic(topic), named);
      assert.equal(deviceOfTopic(topic), undefined);
    }
    assert.equal(commandsOf('lab', 'mote-1'), 'diten/v1/lab/mote-1/command/+');
    assert.equal(everyCommandReply('lab'), 'diten/v1/lab/+/command/+/reply');
  });

  for (const topic of [
    'diten/v1/lab/mote-1/data',
    'diten/v1/lab/mote-1/command',
    'diten/v1/lab/mote-1/command/',
    'diten/v1/lab/mote-1/command/a/answer',
    'diten/v1/lab/mote-1/command/a/reply/b',
    'diten/v2/lab/mote-1/command/a',
  ]) {
    it(`are none: ${topic}`, () => assert.equal(commandOfTopic(topic), undefined));
  }
});
