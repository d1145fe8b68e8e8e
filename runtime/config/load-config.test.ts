import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { z } from 'zod';
import { ProgramError } from '#runtime/process/program-error.ts';
import { loadConfig } from './load-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'diten-config-'));
after(() => rmSync(folder, { recursive: true }));

const schema = z.strictObject({
  id: z.string(),
  mqtt: z.strictObject({ port: z.int().min(1).max(65535).default(1883) }).prefault({}),
  sensors: z.array(z.strictObject({ kind: z.string() })).default([]),
});

function load(text: string) {
  const file = join(folder, 'config.toml');
  writeFileSync(file, text);
  return loadConfig(file, schema);
}

function problem(text: string): string {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    assert.equal(error.exit, 78);
    return `${error.code}: ${error.message.replace(folder, '')}`;
  }
  throw new Error('was accepted');
}

describe('configuration', () => {
  it('fills in defaults and freezes', () => {
    const config = load('id = "mote-1"');
    assert.deepEqual(config, { id: 'mote-1', mqtt: { port: 1883 }, sensors: [] });
    assert.ok(Object.isFrozen(config));
  });

  it('names an unknown key by its path', () => {
    assert.match(problem('id = "a"\n[mqtt]\nprot = 1'), /config-invalid: .*unknown key mqtt\.prot/);
    assert.match(
      problem('id = "a"\n[[sensors]]\nkind = "host"\nx = 1'),
      /unknown key sensors\[0\]\.x/,
    );
  });

  it('names a missing key', () => {
    assert.match(problem(''), /missing key id: expected string/);
  });

  it('names a key of the wrong type', () => {
    assert.match(problem('id = "a"\n[mqtt]\nport = "x"'), /mqtt\.port: .*expected (int|number)/);
  });

  it('names the line of a syntax error', () => {
    assert.match(problem('id = "a"\nmqtt = ['), /config-syntax: .*config\.toml:2:/);
  });

  it('says when there is no such file', () => {
    assert.throws(() => loadConfig(join(folder, 'none.toml'), schema), {
      code: 'config-unreadable',
    });
  });
});
