import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { encodeCanonical } from '#shared/codec/canonical.ts';
import { policyOf } from '#shared/ledger/log/chain-policy.ts';
import { CHAIN_ID, exampleProof, exampleRoster } from '#shared/ledger/log/log.fixture.ts';
import { encodeLogEntry } from '#shared/ledger/log-entry.ts';
import { refuses, runDiten, useFolder } from '../model/diten.fixture.ts';

const transaction = encodeCanonical({
  ...{ type: 'task.define', signature: Uint8Array.of(1, 2) },
  body: { task: 'a\u009b31m\u202e' },
});
const entries = ['accepted', 'task-known'].map((outcome, index) =>
  encodeLogEntry({ v: 1, height: 5, index, outcome, transaction }),
);

describe('diten ledger check', () => {
  const at = useFolder();
  const check = (proof: string) => ['ledger', 'check', proof, '--policy', 'p'];

  before(() => {
    writeFileSync(at.path('p'), policyOf(CHAIN_ID, exampleRoster([1, 1, 1, 1])));
    writeFileSync(at.path('good'), exampleProof(entries, 0));
    writeFileSync(at.path('rejected'), exampleProof(entries, 1));
    writeFileSync(at.path('few'), exampleProof(entries, 0, 2));
    writeFileSync(at.path('bytes'), Uint8Array.of(0xff, 0xfe));
  });

  it('prints the record, the transaction and ok, and nothing that steers a terminal', async () => {
    const { code, out } = await runDiten(check('good'), at.folder);
    assert.equal(code, 0);
    assert.match(out, /^record 0 of 2 in diten\.ledger\/site\nroot [0-9a-f]{64}\nheight 5, /);
    assert.match(out, /cosigned by edge-0\.site, edge-1\.site, edge-2\.site\n/);
    assert.match(out, /by a quorum since 2026-11-18T/);
    assert.match(out, /"type": "task\.define"[\s\S]*\nok\n$/);
    assert.match(out, /"signature": "0102"/);
    assert.match(out, /a\\u\{9b\}31m\\u\{202e\}/);
  });

  it('says what was rejected', async () => {
    const { code, out } = await runDiten(check('rejected'), at.folder);
    assert.equal(code, 0);
    assert.match(out, /\nrejected, without effect: task-known\n/);
  });

  it('refuses with a code', async () => {
    await refuses(check('few'), at.folder, { says: /\[quorum-missing\]/ });
    await refuses(check('bytes'), at.folder, { says: /\[proof-malformed\]/ });
    await refuses(check('p'), at.folder, { says: /\[proof-malformed\]/ });
    await refuses(check('/dev/zero'), at.folder, { says: /\[proof-too-large\]/ });
    await refuses(check('none'), at.folder, { code: 2, says: /\[file-unreadable\]/ });
    await refuses(check('.'), at.folder, { code: 2, says: /\[file-unreadable\]/ });
  });
});
