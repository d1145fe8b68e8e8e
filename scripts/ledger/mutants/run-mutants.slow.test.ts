import assert from 'node:assert/strict';
import { it } from 'node:test';
import { exitCode } from '#runtime/process/program-error.ts';
import { MUTANTS, runMutants } from './run-mutants.ts';

// The rest of them by `diten ledger mutants`.
it('the mutants that have to do with unlocking and deciding are caught', async () => {
  const only = MUTANTS.filter(({ name }) => /^line (?:29|38|49)/.test(name));
  assert.ok(only.length >= 6);
  assert.equal(await runMutants(only), exitCode.ok);
});
