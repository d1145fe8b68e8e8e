import type { Finding, Project, TextFile } from './project.ts';

const CHECKED = new Set(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']);
const TOP_FOLDERS = ['shared', 'runtime', 'device-agent', 'edge-node', 'scripts', 'systemd', '.ci'];

/** Every path that a document names exists. */
export function* documents(project: Project): Generator<Finding> {
  for (const file of project.files) {
    if (!CHECKED.has(file.path)) continue;
    for (const { path, line } of namedPaths(file)) {
      if (project.has(path)) continue;
      yield { path: file.path, line, message: `${path} does not exist; mend the path` };
    }
  }
}

function* namedPaths({ text }: TextFile): Generator<{ path: string; line: number }> {
  for (const [index, words] of text.split('\n').entries()) {
    const line = index + 1;
    for (const [, target] of words.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)) {
      yield { path: withoutEnds(target!), line };
    }
    for (const word of words.replace(/\]\([^)]*\)/g, '').split(/[\s`'"()<>,;|[\]]+/)) {
      const path = withoutEnds(word);
      if (path.includes('/') && TOP_FOLDERS.includes(path.split('/')[0]!)) yield { path, line };
    }
  }
}

/** The path up to a wildcard or an ellipsis, without `#`, `./` and punctuation around it. */
function withoutEnds(word: string): string {
  return word
    .replace(/^#|^\.\//, '')
    .replace(/\/?[^/]*(?:\*|\{|…|\.\.\.).*$/, '')
    .replace(/[/.:!?]+$/, '');
}
