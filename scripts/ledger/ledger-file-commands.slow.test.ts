import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, it } from 'node:test';
import { StoredNode, voucher } from '#edge-node/ledger/stored-node.fixture.ts';
import { type ExampleChain, operator } from '#shared/ledger/chain.fixture.ts';
import { refuses, runDiten, useFolder } from '../model/diten.fixture.ts';
import { device, task, version, writeExampleLedger } from './example-ledger.fixture.ts';

const DITEN = join(import.meta.dirname, '..', 'diten.ts');
const at = useFolder();
const ledger = (...args: string[]) =>
  runDiten(['ledger', ...args, '--file', 'l.sqlite'], at.folder);
let chain: ExampleChain;

before(() => {
  chain = writeExampleLedger(at.path('l.sqlite'));
  writeFileSync(at.path('garbage'), 'no ledger'.repeat(100));
});

describe('diten ledger show', () => {
  it('shows a block with who decided it and its transactions', async () => {
    const { code, out } = await ledger('show', '2');
    assert.equal(code, 0);
    assert.match(out, /^2 {2}2026-.* by edge-\d {2}2 transactions {2}log 3 /);
    assert.match(out, /decided +in round 0 by edge-0, edge-1, edge-2, edge-3\n/);
    assert.match(out, /2\/0 {2}task\.define {2}by edge-0 {2}task=[0-9a-f]{12} /);
    assert.match(out, /2\/1 {2}device\.enrol {2}rejected: device-exists {2}by operator /);
  });

  it('shows a record by the name it has elsewhere', async () => {
    const shown = await ledger('show', version);
    assert.match(shown.out, /^height +3\n[\s\S]*type +model\.version\n[\s\S]*"loss": "0.25"/);
    const { out } = await ledger('show', task, '--json');
    const { type, logIndex, body } = JSON.parse(out);
    assert.deepEqual([type, logIndex, body.task], ['task.define', 1, task]);
  });

  it('shows of a device the newest, without what steers a terminal', async () => {
    const { out } = await ledger('show', device);
    assert.match(out, /type +device\.suspend\n/);
    assert.match(out, /lost\\u001b\[31m/);
  });
});

describe('diten ledger status', () => {
  it('tells how the file stands', async () => {
    const { out } = await ledger('status', '--json');
    const { stateDigest } = chain.chain;
    const status = JSON.parse(out);
    assert.deepEqual([status.height, status.stateDigest], [4, stateDigest]);
    assert.deepEqual([status.logSize, status.checkpointSize], [5, 4]);
    assert.match(status.tolerance, /4 validators, 1 of which/);
  });

  it('tells what a node says, and when what answers is none', async () => {
    const server = createServer((request, response) => {
      const status = { ledger: { height: 7, peers: { connected: 3 }, note: '\u001b' } };
      response.end(request.url === '/status' ? JSON.stringify(status) : '');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { out } = await runDiten(['ledger', 'status', '--url', url], at.folder);
    assert.match(out, /^height +7\npeers\.connected +3\nnote +\\u\{1b\}\n$/);
    server.close();
    server.closeAllConnections();
    const args = ['ledger', 'status', '--url', url];
    await refuses(args, at.folder, { says: /\[node-unreachable\]/ });
  });
});

describe('diten ledger prove', () => {
  it('makes a proof that verifies with nothing but the two files', async () => {
    for (const [name, type] of [
      [version, 'model.version'],
      [chain.staged[1]!.block.transactions[1]!.digest, 'device.enrol'],
    ] as const) {
      const proof = await ledger('prove', name, '-o', 'x.tlog-proof', '--policy-out', 'x.policy');
      assert.deepEqual([proof.code, proof.complaint], [0, '']);
      const alone = at.path(`alone-${type}`);
      mkdirSync(alone);
      copyFileSync(at.path('x.tlog-proof'), join(alone, 'p'));
      copyFileSync(at.path('x.policy'), join(alone, 'y'));
      const checked = await runDiten(['ledger', 'check', 'p', '--policy', 'y'], alone);
      assert.equal(checked.code, 0);
      assert.match(checked.out, new RegExp(`"type": "${type}"[\\s\\S]*\\nok\\n$`));
      assert.deepEqual(readdirSync(alone).sort(), ['p', 'y']);
    }
  });

  it('refuses what no checkpoint covers, and what there is not', async () => {
    const file = ['--file', 'l.sqlite', '-o', 'none'];
    const prove = (name: string) => ['ledger', 'prove', name, ...file];
    await refuses(prove(device), at.folder, { says: /\[checkpoint-behind\]/ });
    await refuses(prove('mote-2'), at.folder, { code: 2, says: /\[record-unknown\]/ });
    await refuses(prove('\u001b[31m'), at.folder, { code: 2, says: /"\\u001b\[31m"/ });
    assert.ok(!readdirSync(at.folder).includes('none'));
    const nowhere = ['ledger', 'prove', version, '--file', 'l.sqlite', '-o', 'no/where'];
    await refuses(nowhere, at.folder, { says: /\[file-unwritable\]/ });
  });
});

describe('diten ledger verify', () => {
  it('executes the file again, by either implementation of signatures', async () => {
    const portable = await ledger('verify', '--json');
    assert.equal(portable.code, 0);
    const { verified, height, stateDigest, rejected } = JSON.parse(portable.out);
    assert.deepEqual([verified, height, rejected], [true, 4, 1]);
    assert.equal(stateDigest, chain.chain.stateDigest);
    const native = await ledger('verify', '--native');
    assert.match(native.out, /height +4\n[\s\S]*verified from genesis/);
  });
});

describe('diten ledger tail', () => {
  it('follows the file while a node writes it, and ends with its reader', async () => {
    const file = at.path('growing.sqlite');
    const growing = writeExampleLedger(file);
    const args = [DITEN, 'ledger', 'tail', '--file', file, '--from', '4'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.match((await lines.next()).value!, /^4 {2}2026-/);
    assert.match((await lines.next()).value!, /^ {2}4\/0 {2}device\.suspend .*lost\\u\{1b\}\[31m/);
    using node = new StoredNode(growing, 0, file);
    growing.commit(growing.sign(operator(0), voucher(9)));
    node.follow(growing);
    assert.match((await lines.next()).value!, /^5 {2}2026-/);
    assert.match((await lines.next()).value!, /^ {2}5\/0 {2}voucher\.issue {2}by operator /);
    child.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
  });
});

describe('the commands on a ledger', () => {
  const usage = (says: RegExp) => ({ code: 2, says });

  it('refuse wrong input in one line', async () => {
    const { folder } = at;
    const none = (...command: string[]) => ['ledger', ...command, '--file', 'none'];
    await refuses(none('status'), folder, usage(/\[file-unreadable\]/));
    await refuses(none('tail'), folder, usage(/\[file-unreadable\]/));
    const garbage = (...command: string[]) => ['ledger', ...command, '--file', 'garbage'];
    await refuses(garbage('verify'), folder, { says: /\[database-corrupt\]/ });
    await refuses(garbage('prove', 'x', '-o', 'y'), folder, { says: /\[database-corrupt\]/ });
    const show = (what: string) => ['ledger', 'show', what, '--file', 'l.sqlite'];
    await refuses(show('0'), folder, usage(/no block 0; the newest is 4 \[height-unknown\]/));
    await refuses(show('5'), folder, usage(/\[height-unknown\]/));
    await refuses(['ledger', 'status'], folder, usage(/\[source-missing\]/));
    const status = (url: string) => ['ledger', 'status', '--url', url];
    await refuses(status('localhost'), folder, usage(/\[url-malformed\]/));
    await refuses([...status('http://x'), '--file', 'l'], folder, usage(/\[source-missing\]/));
  });
});
