/** The style that runs as a test: prints each breach of a rule as `path:line: what; the mend`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents } from './tidy/documents.ts';
import { layers } from './tidy/layers.ts';
import { limits } from './tidy/limits.ts';
import { machinePaths } from './tidy/machine-paths.ts';
import { modules } from './tidy/modules.ts';
import { names } from './tidy/names.ts';
import { createProject, type Rule } from './tidy/project.ts';
import { purity } from './tidy/purity.ts';
import { usage } from './tidy/usage.ts';

const ROOT = join(import.meta.dirname, '..');
const RULES: readonly Rule[] = [
  limits,
  layers,
  purity,
  modules,
  names,
  usage,
  documents,
  machinePaths,
];

/** What git tracks or would track. */
function listFiles(): string[] {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const paths = execFileSync('git', list, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return [...new Set(paths)].filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

const files = listFiles().map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
const project = createProject(files);
const findings = RULES.flatMap((rule) => [...rule(project)]);
for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`);
console.log(`${files.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
