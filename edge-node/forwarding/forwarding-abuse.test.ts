import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { createMemoryNetwork } from '#runtime/peers/memory-network.ts';
import { PeerError, type PeerNetwork } from '#runtime/peers/peer-network.ts';
import { exampleMember } from '#shared/ledger/chain.fixture.ts';
import {
  type ForwardedAnswer,
  type ForwardedCall,
  forwardingAnswerCodec,
  forwardingRequestCodec,
} from '#shared/wire/forwarding.ts';
import { FORWARDING_PROTOCOL } from './answer-forwarded.ts';
import {
  edgeName,
  type ForwardingNode,
  placeTwin,
  startForwardingNode,
} from './forwarding-node.fixture.ts';

describe('forwarding, with a member that breaks the rules', { timeout: 20_000 }, () => {
  let parts: AsyncDisposableStack;
  let node: ForwardingNode;
  let breaker: PeerNetwork;
  let answer: Pick<ForwardedAnswer, 'headers' | 'body'>;

  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    const hub = createMemoryNetwork();
    const networks = [0, 1].map((n) =>
      parts.use(hub.join({ key: exampleMember(n).peer, clock, log })),
    );
    node = parts.use(await startForwardingNode(0, networks));
    breaker = networks[1]!;
    breaker.answer(FORWARDING_PROTOCOL, async () =>
      forwardingAnswerCodec.encode({ v: 1, kind: 'answered', status: 200, ...answer }),
    );
    const peers = new Map(networks.map(({ self, addresses }) => [self, addresses]));
    for (const network of networks) network.setPeers(peers);
    while (!node.network.connected().includes(breaker.self)) await sleep(5);
  });
  afterEach(() => parts.disposeAsync());

  const get = (path: string) => fetch(`${node.url}/api/2/${path}`);
  const text = (body: string) => ({ headers: [], body: new Uint8Array(Buffer.from(body)) });

  it('answers without what another node says, where that is of another shape', async () => {
    const attributes = { relations: { partOf: ['lab:room'] } };
    const edit = { op: 'put', path: '', value: { attributes } } as const;
    node.twins.change('lamp', { kind: 'edited', nowMs: 0, by: 'ann', edit });
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    for (const body of ['{', '', 'null', '"x"', '-1', '[null]', '{"items":[5]}', deep]) {
      answer = text(body);
      for (const path of [
        'things',
        'search/things',
        'search/things/count',
        'relations?to=lab:room',
      ]) {
        const response = await get(path);
        assert.equal(response.status, 200, `${path} ${body.slice(0, 20)}`);
        const shown = (await response.json()) as { unanswered?: string[] };
        const missing = response.headers.get('Diten-Unanswered') ?? shown.unanswered?.join();
        assert.equal(missing, edgeName(1), `${path} ${body.slice(0, 20)}`);
      }
    }
    answer = text('[]');
    const listed = (await (await get('things')).json()) as { thingId: string }[];
    assert.deepEqual(
      listed.map(({ thingId }) => thingId),
      ['lab:lamp'],
    );
  });

  for (const header of [
    ['set-cookie', 'a=b'],
    ['etag', 'a\r\nb: c'],
  ] as [never, string][]) {
    it(`hands no header on that is not passed on, as ${header[0]}`, async () => {
      placeTwin([node], 'there', 1);
      answer = { headers: [header], body: new Uint8Array() };
      assert.equal((await get('things/lab:there')).status, 502);
    });
  }

  const call: ForwardedCall = {
    ...{ v: 1, kind: 'call', method: 'GET', url: 'http://localhost/api/2/things' },
    ...{ headers: [], body: null, caller: { name: 'ann', role: 'write', needsToken: false } },
  };
  for (const [name, part] of Object.entries({
    'a GET with a body': { body: new Uint8Array(3) },
    'a URL with a password': { url: 'http://a:b@localhost/api/2/things' },
    'a header that is not passed on': { headers: [['authorization', 'x']] as [never, string][] },
    'a header in two lines': { headers: [['accept', 'a\nb']] as [never, string][] },
  })) {
    it(`closes the door to a peer that sends ${name}`, async () => {
      const bytes = forwardingRequestCodec.encode({ ...call, ...part });
      const asked = breaker.request(node.network.self, FORWARDING_PROTOCOL, bytes);
      await assert.rejects(asked, (error) => error instanceof PeerError);
      while (node.network.connected().includes(breaker.self)) await sleep(5);
    });
  }
});
