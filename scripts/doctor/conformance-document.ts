/** Writes docs/sparkplug-conformance.md, the table of the assertions `diten doctor` grades by. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertions } from '#shared/sparkplug/conformance/grade.ts';
import { undecided } from '#shared/sparkplug/conformance/undecided.ts';

const ROOT = join(import.meta.dirname, '../..');

export const conformanceDocument = join(ROOT, 'docs/sparkplug-conformance.md');

/** The document as the table of assertions has it now. */
export function describeConformance(): string {
  const graded = assertions
    .toSorted(bySection)
    .map(({ id, level, section, applies, says, needs }) =>
      row([section, id, level, applies, says, needs]),
    );
  const open = undecided
    .toSorted(bySection)
    .map(({ id, level, section, applies, reason }) => row([section, id, level, applies, reason]));
  return [
    ...[HEAD, row(['Section', 'Id', 'Level', 'Binds', 'Checked how', 'From']), RULER, ...graded],
    ...[
      OPEN,
      row(['Section', 'Id', 'Level', 'Binds', 'Why not']),
      '|---|---|---|---|---|',
      ...open,
    ],
    '',
  ].join('\n');
}

interface Placed {
  readonly section: string;
  readonly id: string;
}

function bySection(a: Placed, b: Placed): number {
  const order = a.section.localeCompare(b.section, 'en', { numeric: true });
  return order === 0 ? (a.id < b.id ? -1 : 1) : order;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

const must = assertions.filter(({ level }) => level === 'MUST').length;
const mustOpen = undecided.filter(({ level }) => level === 'MUST').length;

const HEAD = `# Sparkplug conformance

\`diten doctor sparkplug\` grades traffic by the assertions of the Sparkplug Specification 3.0.0 on
edge nodes and host applications, by their ids: ${assertions.length} of them, ${must} MUST. Each has
a capture among the tests that keeps it and one that breaks it. \`From\` says what is needed:
\`messages\` any subscriber hears; \`connections\` only a capture from within a broker has (CONNECT,
wills, SUBSCRIBE, DISCONNECT). Over MQTT 3.1.1 a subscriber does not see the retain flag of live
messages, and what QoS 0 loses on the way looks like a gap in the sequence.
\`node scripts/doctor/conformance-document.ts\` writes this page; a test fails where it is out of
date.
`;
const RULER = '|---|---|---|---|---|---|';
const OPEN = `
## Not graded

${undecided.length} assertions, ${mustOpen} of them MUST, no capture decides. Another 11 bind MQTT
servers.
`;

if (import.meta.main) writeFileSync(conformanceDocument, describeConformance());
