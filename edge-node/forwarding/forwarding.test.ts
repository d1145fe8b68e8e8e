import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '#runtime/clock/system-clock.ts';
import { silentLog as log } from '#runtime/observe/log.ts';
import { createMemoryNetwork, type MemoryNetwork } from '#runtime/peers/memory-network.ts';
import { PeerError } from '#runtime/peers/peer-network.ts';
import { exampleMember } from '#shared/ledger/chain.fixture.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';
import {
  type ForwardingRequest,
  forwardingAnswerCodec,
  forwardingRequestCodec,
} from '#shared/wire/forwarding.ts';
import type { PassedCall } from './forwarder.ts';
import {
  edgeName,
  type ForwardingNode,
  placeTwin,
  startForwardingNode,
} from './forwarding-node.fixture.ts';

const NODES = [0, 1, 2] as const;

describe('forwarding between edge nodes', { timeout: 60_000 }, () => {
  let parts: AsyncDisposableStack;
  let hub: MemoryNetwork;
  let nodes: ForwardingNode[];

  beforeEach(async () => {
    parts = new AsyncDisposableStack();
    hub = createMemoryNetwork();
    const networks = NODES.map((n) =>
      parts.use(hub.join({ key: exampleMember(n).peer, clock, log })),
    );
    nodes = await Promise.all(
      NODES.map(async (n) => parts.use(await startForwardingNode(n, networks))),
    );
    const peers = new Map(nodes.map(({ network }) => [network.self, network.addresses]));
    for (const { network } of nodes) network.setPeers(peers);
    while (nodes.some(({ network }) => network.connected().length < 2)) await sleep(5);
  });
  afterEach(() => parts.disposeAsync());

  function place(device: string, edge: number, who = nodes) {
    placeTwin(who, device, edge);
  }

  async function call(n: number, method: string, path: string, options: CallOptions = {}) {
    const { body, headers = {}, type = 'application/json' } = options;
    const response = await fetch(`${nodes[n]!.url}/api/2/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': type }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const value: unknown = text === '' ? undefined : JSON.parse(text);
    return { status: response.status, headers: response.headers, body: value as never };
  }
  interface CallOptions {
    readonly body?: JsonValue;
    readonly type?: string;
    readonly headers?: Record<string, string>;
  }
  const put = (n: number, path: string, body: JsonValue, headers = {}) =>
    call(n, 'PUT', path, { body, headers });
  const errorOf = ({ status, body }: { status: number; body: { error?: string } }) => [
    status,
    body?.error,
  ];
  const one = 'things/lab:mote-1';
  const json: [string, string] = ['content-type', 'application/json'];
  const passed = (path = one): PassedCall => ({
    ...{ method: 'GET', url: `http://localhost/api/2/${path}`, headers: [], body: null },
    caller: { name: 'ann', role: 'write', needsToken: false },
  });

  it('reads and changes a twin at another node as if it were asked itself', async () => {
    place('mote-1', 1);
    const by = { 'X-Diten-By': 'ann' };
    const made = await put(0, one, { attributes: { a: 1 } }, by);
    assert.deepEqual([made.status, made.headers.get('etag')], [201, '"rev:1"']);
    assert.equal(made.headers.get('location'), `/api/2/${one}`);
    assert.equal(nodes[0]!.twins.get('mote-1'), undefined);
    assert.equal(nodes[1]!.twins.history.ofThing('mote-1', 0, 1)[0]?.by, `ann@${edgeName(0)}`);
    assert.deepEqual((await call(2, 'GET', `${one}/attributes/a`)).body, 1);
    assert.equal((await put(0, `${one}/attributes/a`, 2, { 'If-Match': '"rev:9"' })).status, 412);
    const merge = { body: { b: 'ö' }, type: 'application/merge-patch+json' };
    assert.equal((await call(0, 'PATCH', `${one}/attributes`, merge)).status, 204);
    const seen = await call(0, 'GET', `${one}?fields=attributes`);
    assert.deepEqual(seen.body, { attributes: { a: 1, b: 'ö' } });
    const tag = seen.headers.get('etag')!;
    const again = await call(0, 'GET', one, { headers: { 'If-None-Match': tag } });
    assert.equal(again.status, 304);
    const head = await call(0, 'HEAD', one);
    assert.deepEqual([head.status, head.headers.get('etag')], [200, tag]);
    const large = 'x'.repeat(200_000);
    assert.equal((await put(0, `${one}/attributes/large`, large)).status, 201);
    assert.deepEqual((await call(2, 'GET', `${one}/attributes/large`)).body, large);
    const bad = await put(0, `${one}/features/x`, 7);
    assert.deepEqual(errorOf(bad), [400, 'things:thing.invalid']);
    assert.equal((await call(2, 'DELETE', one)).status, 204);
    assert.deepEqual(errorOf(await call(0, 'GET', one)), [404, 'things:thing.notfound']);
  });

  it('describes it by the address that was asked', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    const accept = { headers: { Accept: 'application/td+json' } };
    const { body } = await call(0, 'GET', one, accept);
    assert.match(JSON.stringify(body), new RegExp(`"href":"${nodes[0]!.url}/api/2/things`));
  });

  it('waits for a device at another node, and lets others pass meanwhile', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    const inbox = `${one}/inbox/messages/blink`;
    const slow = Array.from({ length: 20 }, () => call(0, 'POST', inbox, { body: 800 }));
    for (let n = 0; n < 20; n++) assert.equal((await call(0, 'GET', one)).status, 200);
    for (const { status, body } of await Promise.all(slow)) {
      assert.deepEqual([status, body], [200, 'blink']);
    }
    const late = await call(0, 'POST', `${inbox}?timeout=400ms`, { body: 5000 });
    assert.deepEqual(errorOf(late), [408, 'messages:timeout']);
    assert.equal((await call(0, 'POST', `${inbox}?timeout=0`, { body: 0 })).status, 202);
  });

  it('turns away what would wait without end behind a busy node', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    const asked = Array.from({ length: 100 }, () => nodes[0]!.forwarder.ask(edgeName(1), passed()));
    const answers = await Promise.all(asked);
    const busy = answers.filter((answer) => 'code' in answer && answer.code === 'busy');
    assert.equal(busy.length, 100 - 4 - 64);
    const answered = answers.filter((answer) => 'status' in answer && answer.status === 200);
    assert.equal(answered.length, 4 + 64);
    assert.equal((await call(0, 'GET', one)).status, 200);
  });

  it('says so where that node is away or silent, and changes nothing here', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    const [a, b] = [nodes[0]!.network, nodes[1]!.network];
    const inbox = `${one}/inbox/messages/x`;
    const body = Buffer.from('5000');
    const message: PassedCall = { ...passed(inbox), method: 'POST', body, headers: [json] };
    const silent = await nodes[0]!.forwarder.ask(edgeName(1), message, 300);
    assert.equal('code' in silent && silent.code, 'silent');
    hub.setLink(a.self, b.self, false);
    for (const method of ['GET', 'DELETE']) {
      const answer = await call(0, method, one);
      assert.deepEqual(errorOf(answer), [503, 'forwarding:away']);
    }
    assert.deepEqual(errorOf(await put(0, one, {})), [503, 'forwarding:away']);
    assert.equal((await call(2, 'GET', one)).status, 200);
    assert.equal(nodes[0]!.twins.size, 0);
  });

  it('passes nothing on twice while two ledgers differ', async () => {
    place('mote-1', 1, [nodes[0]!]);
    place('mote-1', 0, [nodes[1]!]);
    assert.deepEqual(errorOf(await call(0, 'GET', one)), [503, 'things:thing.moving']);
  });

  it('finds what was made at another node, where no device ever was', async () => {
    await put(1, 'things/lab:room-1', { attributes: { floor: 2 } });
    assert.deepEqual((await call(0, 'GET', 'things/lab:room-1/attributes/floor')).body, 2);
    assert.equal((await put(2, 'things/lab:room-1', {})).status, 204);
    assert.equal(nodes[2]!.twins.size, 0);
    const none = await call(0, 'GET', 'things/lab:room-2');
    assert.deepEqual(errorOf(none), [404, 'things:thing.notfound']);
    assert.equal((await put(0, 'things/lab:room-2', {})).status, 201);
    assert.equal(nodes[0]!.twins.size, 1);
  });

  it('lists, finds and counts the things of all, and says who did not answer', async () => {
    for (const n of [0, 1, 2, 3, 4, 5, 6]) {
      await put(n % 3, `things/lab:t-${n}`, { attributes: { n: 10 - n } });
    }
    // What node 0 has of a device that went to node 2 is out of date.
    await put(0, 'things/lab:mote-1', { attributes: { n: 99 } });
    place('mote-1', 2);
    await put(2, 'things/lab:mote-1', { attributes: { n: 0 } });
    type Page = { items: { thingId: string }[]; cursor?: string; unanswered?: string[] };
    const idsOf = (items: { thingId: string }[]) => items.map(({ thingId }) => thingId.slice(4));
    const all = ['t-6', 't-5', 't-4', 't-3', 't-2', 't-1', 't-0'];
    for (const n of NODES) {
      const found: string[] = [];
      let option = 'sort(+attributes/n),size(2)';
      for (;;) {
        const page = (await call(n, 'GET', `search/things?option=${encodeURIComponent(option)}`))
          .body as Page;
        found.push(...idsOf(page.items));
        if (page.cursor === undefined) break;
        option = `sort(+attributes/n),size(2),cursor(${page.cursor})`;
      }
      assert.deepEqual(found, ['mote-1', ...all]);
      const count = await call(n, 'GET', 'search/things/count?filter=gt(attributes/n,7)');
      assert.deepEqual(count.body, 3);
      const listed = await call(n, 'GET', 'things?fields=attributes/n&ids=lab:t-4,lab:t-0,lab:x');
      assert.deepEqual(listed.body, [{ attributes: { n: 6 } }, { attributes: { n: 10 } }]);
      assert.deepEqual(idsOf((await call(n, 'GET', 'things')).body), [
        'mote-1',
        ...all.toReversed(),
      ]);
    }
    const own = await call(1, 'GET', 'search/things?scope=node');
    assert.deepEqual(idsOf((own.body as Page).items), ['t-1', 't-4']);
    hub.setLink(nodes[0]!.network.self, nodes[1]!.network.self, false);
    const page = await call(0, 'GET', 'search/things');
    assert.deepEqual((page.body as Page).unanswered, [edgeName(1)]);
    const listed = await call(0, 'GET', 'things?ids=lab:t-1,lab:t-2');
    assert.deepEqual(idsOf(listed.body), ['t-2']);
    assert.equal(listed.headers.get('Diten-Unanswered'), edgeName(1));
  });

  it('shows what things are to each other across nodes', async () => {
    await put(0, 'things/lab:lamp', { attributes: { relations: { partOf: ['lab:room'] } } });
    await put(1, 'things/lab:switch', { attributes: { relations: { controls: ['lab:lamp'] } } });
    await put(2, 'things/lab:room', {});
    const related = (n: number, id: string) => call(n, 'GET', `things/lab:${id}/relations`);
    for (const n of NODES) {
      assert.deepEqual((await related(n, 'lamp')).body, {
        outgoing: [{ type: 'partOf', thingId: 'lab:room' }],
        incoming: [{ type: 'controls', thingId: 'lab:switch' }],
      });
      const found = await call(n, 'GET', 'relations?to=lab:room');
      assert.deepEqual(found.body, [{ type: 'partOf', thingId: 'lab:lamp' }]);
    }
    const bad = await put(0, 'things/lab:lamp/attributes/relations', { partOf: 'lab:room' });
    assert.deepEqual(errorOf(bad), [400, 'things:thing.invalid']);
  });

  it('streams the events of a twin at another node, from where the reader was', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    for (const n of [2, 3, 4, 5]) await put(1, `${one}/attributes/n`, n);
    const read = async (id: string, count: number) => {
      const headers = { Accept: 'text/event-stream', 'Last-Event-ID': id };
      const abort = new AbortController();
      const init = { headers, signal: abort.signal };
      const response = await fetch(`${nodes[0]!.url}/api/2/${one}/attributes/n`, init);
      let text = '';
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const ids = [...text.matchAll(/^id:(\d+)\ndata:(\d+)$/gm)].map((each) => each[2]);
        if (ids.length >= count) {
          abort.abort();
          return ids;
        }
      }
      return assert.fail('it ended');
    };
    assert.deepEqual(await read('3', 2), ['4', '5']);
    const next = read('5', 2);
    await sleep(100);
    await put(1, `${one}/attributes/n`, 6);
    await sleep(1200); // more than one question after what is new
    await put(1, `${one}/attributes/n`, 7);
    assert.deepEqual(await next, ['6', '7']);
    const range = 'from-historical-revision=2&to-historical-revision=3';
    const headers = { Accept: 'text/event-stream' };
    const past = await fetch(`${nodes[0]!.url}/api/2/${one}?${range}`, { headers });
    assert.equal([...(await past.text()).matchAll(/^data:/gm)].length, 2);
  });

  it('says so where an answer is too large to be passed on', async () => {
    for (let n = 0; n < 20; n++) {
      await put(1, `things/lab:large-${n}`, { attributes: { text: 'x'.repeat(250_000) } });
    }
    const answer = await call(0, 'GET', 'things');
    assert.equal(answer.headers.get('Diten-Unanswered'), edgeName(1));
    assert.equal((await call(0, 'GET', 'things/lab:large-7/attributes')).status, 200);
  });

  it('sends no peer what it must refuse, whatever a client sends', async () => {
    place('mote-1', 1);
    await put(0, one, {});
    const long = 'x'.repeat(12_000);
    for (const name of ['Accept', 'If-Match', 'Last-Event-ID']) {
      const { status } = await call(0, 'GET', one, { headers: { [name]: long } });
      assert.ok(status < 500, name);
    }
    assert.equal((await call(0, 'GET', `${one}?fields=${'a'.repeat(8000)}`)).status, 400);
    const subject = '%20'.repeat(2000);
    assert.ok((await call(0, 'POST', `${one}/inbox/messages/${subject}`)).status < 500);
    const path = `${one}/attributes/${'ä'.repeat(600)}`;
    assert.equal((await put(0, path, 1)).status, 201);
    assert.equal((await call(0, 'DELETE', path)).status, 204);
    assert.equal(nodes[0]!.network.connected().length, 2);
  });

  it('closes the door to a peer that asks what no node asks', async () => {
    const foreign = forwardingRequestCodec.encode({ ...ASKED, url: 'http://edge/status' });
    for (const [n, bytes] of [[0, Uint8Array.of(1, 2, 3)] as const, [2, foreign] as const]) {
      await assert.rejects(ask(n, bytes), (error) => error instanceof PeerError);
      while (nodes[n]!.network.connected().includes(nodes[1]!.network.self)) await sleep(5);
    }
    place('mote-1', 1);
    assert.deepEqual(errorOf(await call(0, 'GET', one)), [503, 'forwarding:away']);
  });

  it('gives what waits to the node alone that asked for it', async () => {
    await put(1, one, {});
    const url = `http://edge/api/2/${one}/inbox/messages/slow`;
    const headers: [string, string][] = [['content-type', 'application/json']];
    const command = { ...ASKED, method: 'POST', url, headers, body: Buffer.from('300') } as const;
    const answer = async (n: number, request: ForwardingRequest) => {
      const decoded = forwardingAnswerCodec.decode(
        await ask(n, forwardingRequestCodec.encode(request)),
      );
      assert.ok(decoded.ok);
      return decoded.value;
    };
    let last = await answer(0, command);
    assert.ok(last.kind === 'pending');
    const { ticket } = last;
    await assert.rejects(answer(2, { v: 1, kind: 'wait', ticket }), { reason: 'ticket-unknown' });
    while (last.kind === 'pending') last = await answer(0, { v: 1, kind: 'wait', ticket });
    assert.equal(last.status, 200);
  });

  function ask(n: number, bytes: Uint8Array) {
    return nodes[n]!.network.request(nodes[1]!.network.self, 'twin-api', bytes);
  }
});

const ASKED: ForwardingRequest & { kind: 'call' } = {
  ...{ v: 1, kind: 'call', method: 'GET', url: 'http://edge/api/2/things' },
  ...{ headers: [], body: null, caller: { name: 'ann', role: 'write', needsToken: false } },
};
