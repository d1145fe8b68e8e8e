import type { Finding, Project } from './project.ts';

const CODE_FOLDERS = /^(?:shared|runtime|device-agent|edge-node|scripts)\//;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const EMPTY_NOUNS = /^(?:utils?|helpers?|common|managers?|misc)$/;

/** Files and folders are in kebab-case, after their main noun. */
export function* names(project: Project): Generator<Finding> {
  for (const { path } of project.files) {
    if (!CODE_FOLDERS.test(path)) continue;
    const parts = path.split('/').flatMap((segment) => segment.replace(/^\./, '').split('.'));
    const wrong = parts.find((part) => !KEBAB_CASE.test(part));
    if (wrong !== undefined) {
      yield { path, line: 1, message: `${wrong} is not in kebab-case; rename it` };
    }
    const empty = parts.flatMap((part) => part.split('-')).find((word) => EMPTY_NOUNS.test(word));
    if (empty !== undefined || parts.includes('index')) {
      const message = `${empty ?? 'index'} says nothing; name the file after what it holds`;
      yield { path, line: 1, message };
    }
  }
}
