import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProject, type Project } from './project.ts';

/** The project as git tracks or would track it. */
export function readProject(root: string): Project {
  const listed = git(root, ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  const paths = [...new Set(listed)].filter((path) => existsSync(join(root, path)));
  return createProject(
    paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  );
}

/** What is not committed, deleted files too. */
export function uncommittedFiles(root: string): string[] {
  const options = ['--porcelain', '-z', '--no-renames', '--untracked-files=all'];
  return git(root, ['status', ...options]).map((line) => line.slice('XY '.length));
}

function git(root: string, command: readonly string[]): string[] {
  const output = execFileSync('git', command, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  return output.split('\0').filter((each) => each !== '');
}
