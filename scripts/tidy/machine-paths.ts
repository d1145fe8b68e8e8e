import type { Finding, Project } from './project.ts';

const WITH_CODE = /\.(?:ts|mjs|js|json|toml|service|html)$|^\.ci\//;
const MACHINE_PATH = /(?<![\w.*])\/(?:work|root|tmp|home\/\w+)\//;

/** No path of one person's machine; temporary folders come from `mkdtemp` or `mktemp`. */
export function* machinePaths(project: Project): Generator<Finding> {
  for (const { path, text } of project.files) {
    if (!WITH_CODE.test(path) || path.endsWith('package-lock.json')) continue;
    for (const [index, line] of text.split('\n').entries()) {
      const found = MACHINE_PATH.exec(line)?.[0];
      if (found === undefined) continue;
      const message = `${found} is a path of one machine; take it from outside, or use mkdtemp`;
      yield { path, line: index + 1, message };
    }
  }
}
