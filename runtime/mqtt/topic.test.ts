import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTopicFilter, isTopicName, topicMatches } from './topic.ts';

const deep = (levels: number) => Array.from({ length: levels }, () => 'a').join('/');

describe('topics', () => {
  it('tells names from filters', () => {
    for (const name of ['a', 'a/b', 'diten/v1/g/mote-1/data', '/a', deep(16), 'x'.repeat(256)]) {
      assert.ok(isTopicName(name), name);
      assert.ok(isTopicFilter(name), name);
    }
    for (const filter of ['#', '+', 'a/#', '+/b', 'a/+/c', 'a/+/#']) {
      assert.ok(!isTopicName(filter), filter);
      assert.ok(isTopicFilter(filter), filter);
    }
  });

  it('refuses what is neither', () => {
    const wrong = ['', 'a\0b', 'a\nb', 'a\u007f', deep(17), 'x'.repeat(257), 'a#', '#/a', 'a/b+'];
    for (const text of wrong) {
      assert.ok(!isTopicName(text), JSON.stringify(text));
      assert.ok(!isTopicFilter(text), JSON.stringify(text));
    }
  });

  it('matches as MQTT 3.1.1, section 4.7, says', () => {
    const matching = [
      ['a/b', 'a/b'],
      ['a/+', 'a/b'],
      ['a/+', 'a/'],
      ['+/b', '/b'],
      ['a/#', 'a'],
      ['a/#', 'a/b/c'],
      ['#', 'a/b'],
      ['a/+/c', 'a/b/c'],
      ['$SYS/#', '$SYS/x'],
    ] as const;
    for (const [filter, topic] of matching) {
      assert.ok(topicMatches(filter, topic), `${filter} ${topic}`);
    }
    const other = [
      ['a/b', 'a'],
      ['a', 'a/b'],
      ['a/+', 'a'],
      ['a/+', 'a/b/c'],
      ['+', 'a/b'],
      ['a/#', 'b/a'],
      ['#', '$SYS/x'],
      ['+/x', '$SYS/x'],
    ] as const;
    for (const [filter, topic] of other) {
      assert.ok(!topicMatches(filter, topic), `${filter} ${topic}`);
    }
  });
});
