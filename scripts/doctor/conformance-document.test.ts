import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { conformanceDocument, describeConformance } from './conformance-document.ts';

it('the page of conformance says what the table of assertions says', () => {
  const page = readFileSync(conformanceDocument, 'utf8');
  assert.ok(page === describeConformance(), 'run node scripts/doctor/conformance-document.ts');
});
