import { type Finding, isTest, type Project } from './project.ts';

/**
 * Every source is a test, or is imported, or is started: its path stands in another source, in
 * package.json, in `.ci/run`, in a systemd unit.
 */
export function* usage(project: Project): Generator<Finding> {
  const referred = new Set(
    project.sources.flatMap(({ path, references }) =>
      references.map((reference) => reference.path).filter((other) => other !== path),
    ),
  );
  for (const { path } of project.sources) {
    if (path.endsWith('.test.ts') || referred.has(path)) continue;
    const started = project.files.some(
      (file) =>
        file.path !== path &&
        !file.path.endsWith('.md') &&
        !isTest(file.path) &&
        file.text.includes(path),
    );
    if (!started) yield { path, line: 1, message: 'nobody imports or starts this; remove it' };
  }
}
