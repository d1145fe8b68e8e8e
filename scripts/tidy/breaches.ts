import { createProject, type Rule } from './project.ts';

/** For the rules' tests: what a rule finds in a tree given as path to text, as `path:line what`. */
export function breaches(rule: Rule, tree: Record<string, string>): string[] {
  const files = Object.entries(tree).map(([path, text]) => ({ path, text }));
  return [...rule(createProject(files))].map(
    ({ path, line, message }) => `${path}:${line} ${message.split(/[,;]/, 1)[0]}`,
  );
}
