/** The style that runs as a test: prints each breach of a rule as `path:line: what; the mend`. */
import { join } from 'node:path';
import { documents } from './tidy/documents.ts';
import { layers } from './tidy/layers.ts';
import { limits } from './tidy/limits.ts';
import { machinePaths } from './tidy/machine-paths.ts';
import { modules } from './tidy/modules.ts';
import { names } from './tidy/names.ts';
import type { Rule } from './tidy/project.ts';
import { purity } from './tidy/purity.ts';
import { readProject } from './tidy/read-project.ts';
import { usage } from './tidy/usage.ts';

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

const project = readProject(join(import.meta.dirname, '..'));
const findings = RULES.flatMap((rule) => [...rule(project)]);
for (const { path, line, message } of findings) console.log(`${path}:${line}: ${message}`);
console.log(`${project.files.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
