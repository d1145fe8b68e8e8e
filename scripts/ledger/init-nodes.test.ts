import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'smol-toml';
import { edgeConfigSchema } from '#edge-node/edge-config.ts';
import { readGenesis } from '#edge-node/ledger/store/genesis-file.ts';
import { loadConfig } from '#runtime/config/load-config.ts';
import { openNodeKeys } from '#runtime/identity/node-keys.ts';
import { openSigningKey } from '#runtime/identity/signing-key.ts';
import { digestOf } from '#shared/identity/digest.ts';
import { decodeGenesis, parseGenesis, validatorSchema } from '#shared/ledger/genesis.ts';
import { useFolder } from '../model/diten.fixture.ts';
import { initLedger, memberText } from './init-ledger.ts';
import { type InitOptions, initNodes } from './init-nodes.ts';

const at = useFolder();
let folders = 0;

function init(options: Partial<InitOptions> = {}) {
  const out = at.path(`chain-${folders++}`);
  const said = initNodes({
    ...{ nodes: 4, out, chain: 'site', host: ['127.0.0.1'], firstPort: 4100 },
    ...options,
  });
  return { out: options.out ?? out, said };
}

describe('diten ledger init', () => {
  it('makes a genesis of the keys that it has made', () => {
    const { out } = init();
    const genesis = parseGenesis(parse(readFileSync(`${out}/genesis.toml`, 'utf8')));
    assert.ok(genesis.ok);
    const { chainId, validators, operators } = genesis.value;
    assert.equal(chainId, 'site');
    for (const [index, member] of validators.entries()) {
      const file = `${out}/edge-${index + 1}/data/node-key.pem`;
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const { validator, peer, cosigner, log } = openNodeKeys(file);
      assert.deepEqual(member, {
        ...{ name: `edge-${index + 1}`, weight: 1, publicKey: validator.publicKey, peer },
        ...{ cosigner: cosigner.publicKey, log: log.publicKey },
        addresses: [`/ip4/127.0.0.1/tcp/${4100 + index}`],
      });
    }
    const { publicKey } = openSigningKey(`${out}/operator-key.pem`);
    assert.deepEqual(operators, [{ algorithm: 'ed25519', publicKey }]);
  });

  it('gives each node a configuration that works from anywhere', () => {
    const { out } = init();
    for (const [index, name] of ['edge-1', 'edge-2', 'edge-3', 'edge-4'].entries()) {
      const { id, data, ledger, mqtt } = loadConfig(`${out}/${name}/edge.toml`, edgeConfigSchema);
      assert.deepEqual([id, data, mqtt.port], [name, `${out}/${name}/data`, 1883 + index]);
      assert.deepEqual(ledger.listen, [`/ip4/127.0.0.1/tcp/${4100 + index}`]);
      const bytes = readGenesis(ledger.genesis!);
      assert.ok(decodeGenesis(bytes).ok);
      // The digest that the file's heading names.
      assert.match(readFileSync(`${out}/genesis.toml`, 'utf8'), new RegExp(digestOf(bytes)));
    }
  });

  it('gives nodes on machines of their own the same ports', () => {
    const host = ['10.0.0.1', 'b.local', 'fd00::3', '10.0.0.1'];
    const { out } = init({ host });
    const addresses = [1, 2, 3, 4].map((n) => {
      const { http, ledger } = loadConfig(`${out}/edge-${n}/edge.toml`, edgeConfigSchema);
      return [ledger.listen[0], http.port];
    });
    assert.deepEqual(addresses, [
      ['/ip4/10.0.0.1/tcp/4100', 8080],
      ['/ip4/0.0.0.0/tcp/4100', 8080],
      ['/ip6/fd00::3/tcp/4100', 8080],
      ['/ip4/10.0.0.1/tcp/4101', 8081],
    ]);
    assert.match(readFileSync(`${out}/genesis.toml`, 'utf8'), /"\/dns4\/b\.local\/tcp\/4100"/);
  });

  it('says what so few nodes tolerate', () => {
    assert.match(init({ nodes: 1 }).said, /tamper-evident only/);
    assert.match(init({ nodes: 2 }).said, /tolerate no fault/);
    assert.match(init({ nodes: 3 }).said, /tolerate no fault/);
    assert.match(init({ nodes: 7 }).said, /2 of which may fail/);
  });

  const wrong: readonly (readonly [options: Partial<InitOptions>, code: string])[] = [
    [{ nodes: 32 }, 'too-many-nodes'],
    [{ chain: 'No Chain' }, 'chain-malformed'],
    [{ host: ['a', 'b'] }, 'hosts-missing'],
    [{ host: ['not a host'] }, 'host-malformed'],
    [{ host: ['300.1.1.1'] }, 'host-malformed'],
    [{ firstPort: 65_534 }, 'port-out-of-range'],
  ];
  for (const [options, code] of wrong) {
    it(`refuses ${JSON.stringify(options)}, and leaves nothing behind`, () => {
      const out = at.path(`wrong-${folders++}`);
      assert.throws(() => init({ ...options, out }), { code, exit: 2 });
      assert.ok(!existsSync(out));
    });
  }

  it('refuses a folder that is not empty, or none', () => {
    const out = at.path('full');
    mkdirSync(out);
    writeFileSync(`${out}/x`, '');
    assert.throws(() => init({ out }), { code: 'folder-not-empty', exit: 2 });
    assert.deepEqual(readdirSync(out), ['x']);
    assert.throws(() => init({ out: `${out}/x` }), { code: 'folder-unusable', exit: 2 });
  });
});

describe('a first ledger', () => {
  it('refuses members that make no genesis', () => {
    const folder = at.path('refused');
    const members = [{ name: 'Edge', dataFolder: at.path('refused/data'), addresses: [] }];
    const plan = { folder, chainId: 'site', timeMs: 0, members };
    assert.throws(() => initLedger(plan), { code: 'genesis-malformed', exit: 2 });
    assert.ok(!existsSync(`${folder}/genesis.toml`));
  });

  it('takes members that only follow', () => {
    const member = (name: string, weight: number) => {
      return { name, dataFolder: at.path(`f/${name}`), addresses: [], weight };
    };
    const members = [member('a', 1), member('b', 0)];
    const file = initLedger({ folder: at.path('f'), chainId: 'site', timeMs: 0, members });
    const genesis = decodeGenesis(readGenesis(file));
    const weights = genesis.ok && genesis.value.validators.map(({ weight }) => weight);
    assert.deepEqual(weights, [1, 0]);
  });
});

describe('diten ledger member', () => {
  const joining = () => ({
    name: 'edge-5',
    dataFolder: at.path(`member-${folders++}`),
    addresses: ['/ip4/10.0.0.5/tcp/4100'],
  });

  it('says what the ledger has to know of a node, by its own key', () => {
    const member = joining();
    const entry = validatorSchema.parse(parse(memberText({ ...member, weight: 0 })));
    const keys = openNodeKeys(`${member.dataFolder}/node-key.pem`);
    assert.deepEqual(
      [entry.name, entry.weight, entry.publicKey, entry.peer],
      ['edge-5', 0, keys.validator.publicKey, keys.peer],
    );
    assert.equal(memberText({ ...member, weight: 0 }), memberText({ ...member, weight: 0 }));
  });

  for (const [what, wrong] of [
    ['name', { name: 'Edge 5' }],
    ['addresses', { addresses: ['10.0.0.5:4100'] }],
  ] as const) {
    it(`refuses a wrong ${what} with exit code 2`, () => {
      const refused = () => memberText({ ...joining(), ...wrong });
      assert.throws(refused, { code: 'member-malformed', exit: 2, message: new RegExp(what) });
    });
  }
});
