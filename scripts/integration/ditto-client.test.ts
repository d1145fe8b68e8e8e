import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  And,
  DefaultFieldsOptions,
  DefaultMatchOptions,
  DefaultMessagesOptions,
  DefaultSearchOptions,
  DittoNodeClient,
  Eq,
  Exists,
  Feature,
  Features,
  Gt,
  Like,
  NodeHttpBasicAuth,
  NodeHttpBearerAuth,
  Thing,
} from '@eclipse-ditto/ditto-javascript-client-node';
import { Access } from '#edge-node/api/access/access.ts';
import { addToken } from '#edge-node/api/access/token-file.ts';
import { serveTwins } from '#edge-node/api/api.fixture.ts';
import { until } from './deadline.ts';
import { startServedDevice, startServedEdge } from './served-edge.fixture.ts';

type Served = Awaited<ReturnType<typeof startServedEdge>>;
type Authentication = NodeHttpBasicAuth | NodeHttpBearerAuth;

const folder = mkdtempSync(join(tmpdir(), 'diten-ditto-'));
let edge: Served;
let things: ReturnType<ReturnType<typeof clientOf>['getThingsHandle']>;

before(async () => {
  edge = await startServedEdge(folder);
  things = clientOf(edge).getThingsHandle();
});
after(async () => {
  await edge[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Eclipse's own client, as its users make it. */
function clientOf(
  { port }: Served,
  authentication: Authentication = NodeHttpBasicAuth.newInstance('ditto', 'ditto'),
) {
  return DittoNodeClient.newHttpClient()
    .withoutTls()
    .withDomain(`127.0.0.1:${port}`)
    .withAuthProvider(authentication)
    .build();
}

/** The status and error code the client hands to who catches. */
async function refused(request: Promise<unknown>): Promise<[number, string]> {
  try {
    await request;
  } catch (error) {
    const { status, body } = error as { status: number; body: { error: string } };
    return [status, body.error];
  }
  assert.fail('it was not refused');
}

describe("the API through Eclipse Ditto's client", { timeout: 60_000 }, () => {
  it('posts, puts, gets, merges and deletes things', async () => {
    const posted = await things.postThing({ attributes: { room: '5.31' } });
    assert.match(posted.thingId, /^lab:[0-9a-f-]{36}$/);
    assert.deepEqual((await things.getThing(posted.thingId)).attributes, { room: '5.31' });

    const led = new Feature('led', ['lab:led:1'], { colour: 'red' });
    const thing = new Thing('lab:mote-1', undefined, { a: 1 }, Features.fromObject({ led }));
    const made = await things.putThing(thing);
    assert.equal(made.status, 201);
    assert.equal(made.headers.get('etag'), '"rev:1"');
    assert.equal(made.headers.get('location'), '/api/2/things/lab:mote-1');
    assert.equal(made.body?.thingId, 'lab:mote-1');
    assert.equal((await things.putThing(thing)).status, 204);
    const patch = Thing.fromObject({ thingId: 'lab:mote-1', attributes: { b: 2 } });
    assert.equal((await things.patchThing(patch)).status, 204);
    const got = await things.getThing('lab:mote-1');
    assert.deepEqual(got.attributes, { a: 1, b: 2 });
    assert.equal(got._revision, 2);
    assert.deepEqual(got.features?.led?.properties, { colour: 'red' });
    const both = await things.getThings(['lab:mote-1', posted.thingId]);
    assert.equal(both.length, 2);
    assert.equal((await things.deleteThing(posted.thingId)).status, 204);
    assert.deepEqual(await refused(things.getThing(posted.thingId)), [
      404,
      'things:thing.notfound',
    ]);
  });

  it('does the same with attributes and definition', async () => {
    const id = 'lab:mote-2';
    await things.putThing(new Thing(id));
    assert.equal((await things.putAttributes(id, { place: { room: 1 } })).status, 204);
    assert.equal((await things.putAttribute(id, 'place/floor', 2)).status, 201);
    assert.equal((await things.putAttribute(id, 'place/floor', 3)).status, 204);
    await things.patchAttributes(id, { owner: 'ann' });
    await things.patchAttribute(id, 'place', { room: null });
    assert.deepEqual(await things.getAttributes(id), { place: { floor: 3 }, owner: 'ann' });
    assert.equal(await things.getAttribute(id, 'place/floor'), 3);
    await things.deleteAttribute(id, 'place');
    await things.deleteAttributes(id);
    const made = await things.putDefinition(id, 'lab:mote:1.0.0');
    assert.equal(made.status, 201);
    assert.equal(await things.getDefinition(id), 'lab:mote:1.0.0');
    await things.deleteDefinition(id);
    const answer = refused(things.getDefinition(id));
    assert.deepEqual(await answer, [404, 'things:definition.notfound']);
  });

  it('does the same with features and their properties', async () => {
    await things.putThing(new Thing('lab:mote-3'));
    const features = clientOf(edge).getFeaturesHandle('lab:mote-3');
    const led = new Feature('led', undefined, { on: false });
    assert.equal((await features.putFeature(led)).status, 201);
    assert.equal((await features.putDefinition('led', ['lab:led:1'])).status, 201);
    assert.deepEqual(await features.getDefinition('led'), ['lab:led:1']);
    assert.equal((await features.putProperty('led', 'on', true)).status, 204);
    assert.equal(await features.getProperty('led', 'on'), true);
    await features.patchProperties('led', { colour: { r: 1 } });
    await features.patchProperty('led', 'colour', { g: 2 });
    assert.deepEqual(await features.getProperties('led'), { on: true, colour: { r: 1, g: 2 } });
    await features.patchFeature(new Feature('led', undefined, { on: null }));
    await features.deleteDefinition('led');
    assert.deepEqual((await features.getFeature('led')).toObject(), {
      properties: { colour: { r: 1, g: 2 } },
    });
    await features.deleteProperty('led', 'colour');
    await features.putProperties('led', { a: 1 });
    await features.deleteProperties('led');
    assert.equal((await features.putFeatures(Features.fromObject({ x: led }))).status, 204);
    assert.deepEqual(Object.keys(await features.getFeatures()), ['x']);
    await features.patchFeatures(Features.fromObject({ y: led }));
    assert.equal((await features.deleteFeature('x')).status, 204);
    assert.equal((await features.deleteFeatures()).status, 204);
    assert.deepEqual(await refused(features.getFeature('x')), [404, 'things:feature.notfound']);
  });

  it('holds to the tags the client sends, and shows the fields it asks for', async () => {
    const id = 'lab:mote-4';
    await things.putThing(new Thing(id), DefaultMatchOptions.getInstance().ifNoneMatchAny());
    const again = things.putThing(
      new Thing(id),
      DefaultMatchOptions.getInstance().ifNoneMatchAny(),
    );
    assert.deepEqual(await refused(again), [412, 'things:precondition.failed']);
    const seen = DefaultMatchOptions.getInstance().ifMatch('"rev:1"');
    assert.equal((await things.putAttributes(id, { a: 1, b: 2 }, seen)).status, 204);
    assert.equal((await refused(things.putAttributes(id, { a: 2 }, seen)))[0], 412);
    const fields = DefaultFieldsOptions.getInstance().withFields('thingId', 'attributes/a');
    assert.deepEqual((await things.getThing(id, fields)).toObject(), {
      thingId: id,
      attributes: { a: 1 },
    });
  });

  it('searches, pages and counts, by GET and by POST', async () => {
    const search = clientOf(edge).getSearchHandle();
    for (const n of [1, 2, 3, 4, 5]) {
      await things.putThing(new Thing(`lab:found-${n}`, undefined, { n, text: 'a b&c=d' }));
    }
    const filter = And(Like('thingId', 'lab:found-*'), Gt('attributes/n', 2));
    const options = () =>
      DefaultSearchOptions.getInstance()
        .withFilter(filter)
        .withNamespaces('lab')
        .withSort('-attributes/n')
        .withPageSize(2)
        .withFields('thingId');
    for (const find of [search.search.bind(search), search.postSearch.bind(search)]) {
      const first = await find(options());
      const ids = first.items.map(({ thingId }) => thingId);
      assert.deepEqual(ids, ['lab:found-5', 'lab:found-4']);
      const second = await find(options().withCursor(first.cursor!));
      assert.deepEqual(
        second.items.map(({ thingId }) => thingId),
        ['lab:found-3'],
      );
      assert.equal(second.cursor, ''); // the client's word for none
    }
    const text = () =>
      DefaultSearchOptions.getInstance().withFilter(
        And(Eq('attributes/text', 'a b&c=d'), Exists('attributes/n')),
      );
    assert.equal(await search.count(text()), 5);
    assert.equal(await search.postCount(text()), 5);
    const elsewhere = DefaultSearchOptions.getInstance().withNamespaces('other');
    assert.deepEqual((await search.search(elsewhere)).items, []);
  });

  it('brings messages to things and features, and the replies back', async () => {
    const reply = (status: number) => async (payload: unknown) => ({
      status,
      payload: { got: payload as never },
    });
    await using _device = await startServedDevice(edge.mqttPort, 'mote-5', {
      claim: reply(200),
      'set/level': reply(201),
      'features/led/blink': reply(200),
      restart: reply(204),
    });
    const id = 'lab:mote-5';
    await things.putThing(new Thing(id));
    const messages = clientOf(edge).getMessagesHandle();
    const soon = DefaultMessagesOptions.getInstance().withTimeout(1);
    const unknown = () => messages.messageToThing(id, 'x', '', 'application/json', soon);
    await until(async () => (await refused(unknown()))[0] === 404); // it listens
    const claimed = await messages.claim(id, { code: 7 });
    assert.deepEqual([claimed.status, claimed.body], [200, { got: { code: 7 } }]);
    const set = await messages.messageToThing(id, 'set/level', '3');
    assert.deepEqual([set.status, set.body], [201, { got: '3' }]);
    const blink = await messages.messageToFeature(id, 'led', 'blink', 'twice', 'text/plain');
    assert.deepEqual([blink.status, blink.body], [200, { got: '"twice"' }]);
    const restart = await messages.messageToThing(id, 'restart', undefined as never);
    assert.equal(restart.status, 204);
    const options = DefaultMessagesOptions.getInstance().withTimeout(0);
    const sent = await messages.messageToThing(id, 'restart', '', 'application/json', options);
    assert.equal(sent.status, 202);
    const binary = messages.messageToThing(id, 'restart', '', 'application/octet-stream');
    assert.deepEqual(await refused(binary), [415, 'api:mediatype.unsupported']);
  });

  it('shows a token as bearer, or as password', async () => {
    const tokens = join(folder, 'tokens.json');
    const made = addToken(tokens, { name: 'ann', role: 'write', nowMs: 0 });
    assert.ok(made.ok);
    const token = made.value;
    const guarded = new Access({ tokens, isOpen: false, events: edge.options.events });
    await using http = await serveTwins({ ...edge.options, access: guarded });
    const served = { ...edge, port: http.port };
    const bearer = NodeHttpBearerAuth.newInstance({ getToken: () => token });
    for (const [n, shown] of [bearer, NodeHttpBasicAuth.newInstance('ann', token)].entries()) {
      const { status } = await clientOf(served, shown)
        .getThingsHandle()
        .putThing(new Thing(`lab:by-${n}`));
      assert.equal(status, 201);
    }
    const wrong = NodeHttpBasicAuth.newInstance('ditto', 'ditto');
    const answer = refused(clientOf(served, wrong).getThingsHandle().getThing('lab:by-0'));
    assert.deepEqual(await answer, [401, 'api:token.required']);
  });
});
