import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keeps } from './session.fixture.ts';
import { formatTopic, isSparkplugId, parseTopic, type SparkplugTopic } from './topic.ts';

const nodeVerbs = ['NBIRTH', 'NDATA', 'NDEATH', 'NCMD'] as const;
const deviceVerbs = ['DBIRTH', 'DDATA', 'DDEATH', 'DCMD'] as const;
const codeOf = (topic: string) => {
  const parsed = parseTopic(topic);
  return parsed.ok ? 'ok' : parsed.error.code;
};

describe('a topic', () => {
  it(
    keeps(
      'tck-id-topic-structure tck-id-topic-structure-namespace-a',
      'is namespace, group, verb, edge node and device, in this order',
    ),
    () => {
      const text = 'spBv1.0/G1/DDATA/E1/D1';
      const topic = { kind: 'DDATA', group: 'G1', node: 'E1', device: 'D1' } as const;
      assert.equal(formatTopic(topic), text);
      assert.deepEqual(parseTopic(text), { ok: true, value: topic });
      assert.equal(codeOf('spAv1.0/G1/DDATA/E1/D1'), 'topic-foreign');
      assert.equal(codeOf('SPBV1.0/G1/DDATA/E1/D1'), 'topic-foreign');
      assert.equal(codeOf('spBv1.0/G1/ddata/E1/D1'), 'topic-malformed');
    },
  );

  const idRules = {
    group: `tck-id-topic-structure-namespace-valid-group-id tck-id-intro-group-id-chars
      tck-id-intro-group-id-string`,
    node: `tck-id-topic-structure-namespace-valid-edge-node-id tck-id-intro-edge-node-id-chars
      tck-id-intro-edge-node-id-string`,
    device: `tck-id-topic-structure-namespace-valid-device-id tck-id-intro-device-id-chars
      tck-id-intro-device-id-string`,
  };
  for (const [part, ids] of Object.entries(idRules)) {
    it(keeps(ids, `takes UTF-8 without reserved characters as the ${part}`), () => {
      const topic = { kind: 'DDATA', group: 'g', node: 'n', device: 'd' } as const;
      for (const id of ['a', 'Wärme 1', '温度', '$x', 'a b.c']) {
        const named = { ...topic, [part]: id };
        assert.deepEqual(parseTopic(formatTopic(named)), { ok: true, value: named });
      }
      for (const id of ['', 'a+', '#', 'a/b', 'a\0', '\ud800', 'x'.repeat(257)]) {
        assert.equal(isSparkplugId(id), false, id);
        assert.throws(() => formatTopic({ ...topic, [part]: id }));
        const levels = { ...topic, [part]: id };
        const text = `spBv1.0/${levels.group}/DDATA/${levels.node}/${levels.device}`;
        assert.equal(codeOf(text), 'topic-malformed', id);
      }
    });
  }

  it(
    keeps(
      'tck-id-topic-structure-namespace-device-id-associated-message-types',
      'has a device for DBIRTH, DDATA, DDEATH and DCMD',
    ),
    () => {
      for (const verb of deviceVerbs) {
        assert.equal(codeOf(`spBv1.0/g/${verb}/n/d`), 'ok');
        assert.equal(codeOf(`spBv1.0/g/${verb}/n`), 'topic-malformed');
        assert.equal(codeOf(`spBv1.0/g/${verb}/n/d/e`), 'topic-malformed');
      }
    },
  );

  it(
    keeps(
      'tck-id-topic-structure-namespace-device-id-non-associated-message-types',
      'has no device for NBIRTH, NDATA, NDEATH, NCMD and STATE',
    ),
    () => {
      for (const verb of nodeVerbs) {
        assert.equal(codeOf(`spBv1.0/g/${verb}/n`), 'ok');
        assert.equal(codeOf(`spBv1.0/g/${verb}/n/d`), 'topic-malformed');
      }
      assert.equal(codeOf('spBv1.0/STATE/h'), 'ok');
      assert.equal(codeOf('spBv1.0/STATE/h/d'), 'topic-malformed');
      assert.equal(codeOf('spBv1.0/g/h'), 'topic-malformed');
      assert.equal(codeOf('STATE/h'), 'topic-foreign');
    },
  );

  it(
    keeps(
      'tck-id-host-topic-phid-birth-topic tck-id-host-topic-phid-death-topic',
      'of a host is spBv1.0/STATE and its id',
    ),
    () => {
      assert.equal(formatTopic({ kind: 'STATE', host: 'h1' }), 'spBv1.0/STATE/h1');
    },
  );

  it('comes back from its text whatever the ids are', () => {
    const id = fc.string({ unit: 'binary', minLength: 1 }).filter(isSparkplugId);
    const part = { group: id, node: id };
    const topics: fc.Arbitrary<SparkplugTopic> = fc.oneof(
      fc.record({ kind: fc.constantFrom(...nodeVerbs), ...part }, { noNullPrototype: true }),
      fc.record(
        { kind: fc.constantFrom(...deviceVerbs), ...part, device: id },
        { noNullPrototype: true },
      ),
      fc.record({ kind: fc.constant('STATE' as const), host: id }, { noNullPrototype: true }),
    );
    fc.assert(
      fc.property(topics, (topic) => {
        assert.deepEqual(parseTopic(formatTopic(topic)), { ok: true, value: topic });
      }),
    );
  });

  it('is never more than its text: what can be parsed is formatted back to it', () => {
    const level = fc.oneof(
      fc.constantFrom('spBv1.0', 'STATE', ...nodeVerbs, ...deviceVerbs, 'g', 'n', ''),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(level, { maxLength: 6 }), (levels) => {
        const text = levels.join('/');
        const parsed = parseTopic(text);
        if (parsed.ok) assert.equal(formatTopic(parsed.value), text);
      }),
    );
  });
});
