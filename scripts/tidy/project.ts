import { parseSource, type Source } from './source.ts';

/** A file of the repository; `path` is relative to its root, with forward slashes. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** A breach of a rule; `message` says what is wrong and the mend. `line` counts from 1. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export type Rule = (project: Project) => Iterable<Finding>;

export interface Project {
  readonly files: readonly TextFile[];
  /** The files of TypeScript and JavaScript, parsed. */
  readonly sources: readonly Source[];
  /** Whether a file or folder of this path exists. */
  has(path: string): boolean;
}

const PROGRAM_TEXT = /\.(?:ts|mjs|js)$/;

export function createProject(files: readonly TextFile[]): Project {
  const known = new Set<string>();
  for (const { path } of files) {
    const segments = path.split('/');
    for (let depth = 1; depth <= segments.length; depth++) {
      known.add(segments.slice(0, depth).join('/'));
    }
  }
  return {
    files,
    sources: files.filter(({ path }) => PROGRAM_TEXT.test(path)).map(parseSource),
    has: (path) => known.has(path),
  };
}

/** Whether the file holds tests, or a suite that tests run. */
export function isTest(path: string): boolean {
  return /\.(?:test|contract|fixture)\.ts$/.test(path);
}
