/** Writes docs/operators.md, the table of every operator that training knows. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Rule } from '#shared/training/rules/rule.ts';
import { ruleTable } from '#shared/training/rules/rule-table.ts';

const ROOT = join(import.meta.dirname, '..');
const TESTED = 'shared/training';
const GOLDENS = `${TESTED}/goldens/operators`;

export const operatorDocument = join(ROOT, 'docs/operators.md');

/** The document as the rule table and the tests have it now. */
export async function describeOperators(): Promise<string> {
  const tests = await readTests();
  const goldens = readGoldens();
  const rows = [...ruleTable.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { operator, domain, opsets }]) => {
      const ofFamily = tests.filter(({ keys }) => keys.has(key));
      const naming = tests.filter(({ text }) => text.includes(`'${operator}'`));
      const links = (ofFamily.length > 0 ? ofFamily : naming).map(
        ({ path }) => `[${path}](../${TESTED}/${path})`,
      );
      const range = `${opsets.oldest} to ${opsets.newest}`;
      const cells = [operator, domain || 'ai.onnx', range, goldens.get(operator) ?? ''];
      return `| ${[...cells, links.join(', ')].join(' | ')} |`;
    });
  return [HEAD, COLUMNS, '|---|---|---|---|---|', ...rows, ''].join('\n');
}

const HEAD = `# Operators

Every operator that may stand between a parameter and the loss, ${ruleTable.size} of them. Any
other is welcome elsewhere in a model. \`node scripts/operator-table.ts\` writes this page from the
table of rules and from the tests that try all of an operator's family, or else name it; a test
fails where the page is out of date. How many cases are held to gradients that PyTorch computed
(by [goldens/operators.test.ts](../${TESTED}/goldens/operators.test.ts)) stands before them.
`;

const COLUMNS = '| Operator | Domain | Opsets | PyTorch | Tests |';

interface TestFile {
  readonly path: string;
  readonly text: string;
  /** The operators of the families of rules that it tries as a whole. */
  readonly keys: ReadonlySet<string>;
}

/** A link to the goldens of each operator, with their number. */
function readGoldens(): Map<string, string> {
  const links = new Map<string, string>();
  for (const file of readdirSync(join(ROOT, GOLDENS))) {
    const cases = JSON.parse(readFileSync(join(ROOT, GOLDENS, file), 'utf8')) as {
      operator: string;
    }[];
    for (const [operator, { length }] of Map.groupBy(cases, (golden) => golden.operator)) {
      links.set(operator, `[${length}](../${GOLDENS}/${file})`);
    }
  }
  return links;
}

async function readTests(): Promise<TestFile[]> {
  const paths = readdirSync(join(ROOT, TESTED), { recursive: true, encoding: 'utf8' });
  const tests: TestFile[] = [];
  for (const path of paths.filter((name) => name.endsWith('.test.ts')).sort()) {
    const file = join(ROOT, TESTED, path);
    const text = readFileSync(file, 'utf8');
    const keys = new Set<string>();
    for (const [, name, module] of text.matchAll(
      /import \{ ((?!check)\w+Rules) \} from '(\.[^']+)'/g,
    )) {
      const family = (await import(join(dirname(file), module!))) as Record<string, Rule[]>;
      for (const { domain, operator } of family[name!]!) keys.add(`${domain}:${operator}`);
    }
    tests.push({ path, text, keys });
  }
  return tests;
}

if (import.meta.main) writeFileSync(operatorDocument, await describeOperators());
