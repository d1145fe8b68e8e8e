import type { Node } from 'oxc-parser';
import { type Finding, isTest, type Project, type TextFile } from './project.ts';
import type { PlacedNode, Source } from './source.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;
const COLUMNS_MAX = 100;

const LIMITED = /\.(?:ts|mjs|js|css|html|toml|service)$|^\.ci\//;
const TEST_CALLS = new Set(['describe', 'suite', 'it', 'test']);

export function* limits(project: Project): Generator<Finding> {
  for (const file of project.files) {
    if (LIMITED.test(file.path)) yield* textLimits(file);
  }
  for (const source of project.sources) yield* functionLimits(source);
}

function* textLimits({ path, text }: TextFile): Generator<Finding> {
  const lines = text.replace(/\n$/, '').split('\n');
  if (lines.length > FILE_LINES_MAX) {
    const message = `${lines.length} lines, at most ${FILE_LINES_MAX}; split it by its nouns`;
    yield { path, line: FILE_LINES_MAX + 1, message };
  }
  for (const [index, line] of lines.entries()) {
    const columns = [...line].length;
    if (columns <= COLUMNS_MAX || line.includes('https://')) continue;
    yield { path, line: index + 1, message: `${columns} columns, at most ${COLUMNS_MAX}; wrap it` };
  }
}

function* functionLimits(source: Source): Generator<Finding> {
  const { path, nodes } = source;
  const suites = isTest(path) ? nodes.filter(({ node }) => isTestCall(node)) : [];
  for (const placed of nodes) {
    const { node } = placed;
    if (!isFunction(node)) continue;
    // A suite is as long as its tests are many: what counts is each test.
    if (suites.some((call) => call.node.start > node.start && call.node.end < node.end)) continue;
    const line = source.lineAt(node.start);
    const lines = source.lineAt(node.end) - line + 1;
    if (lines <= FUNCTION_LINES_MAX) continue;
    const message = `${lines} lines, at most ${FUNCTION_LINES_MAX}; move a part out`;
    yield { path, line, message: `function ${nameOf(placed)}: ${message}` };
  }
}

function isFunction(node: Node): boolean {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  );
}

function isTestCall(node: Node): boolean {
  return (
    node.type === 'CallExpression' &&
    node.callee.type === 'Identifier' &&
    TEST_CALLS.has(node.callee.name)
  );
}

function nameOf({ node, parent }: PlacedNode): string {
  const named = node.type === 'FunctionDeclaration' ? node : parent;
  const id = named && ('id' in named ? named.id : 'key' in named ? named.key : undefined);
  return id?.type === 'Identifier' ? id.name : '(unnamed)';
}
