import type { CaptureEvent } from './capture.ts';
import { asksForRebirth, isData, type Message, type Verb } from './message.ts';
import type { MetricView } from './payload-view.ts';
import type { Heard, Replay } from './replay.ts';

/** How far the clocks of who speaks and who listens may be apart. */
export const CLOCKS_APART_MAX_MS = 60_000;
/** How long a message may have been on its way when its sender had to act on another. */
export const TRANSIT_MAX_MS = 1000;

/** What one event says for or against an assertion; `fault` says how it breaks it. */
export interface Evidence {
  readonly event: CaptureEvent;
  readonly fault: string | undefined;
}

export type Check = (replay: Replay) => Iterable<Evidence>;

/** One thing the specification demands, in whichever places it says so. */
export interface Rule {
  /** Whom it binds. */
  readonly applies: 'edge' | 'host' | 'both';
  /** What is looked at, in a sentence without its full stop. */
  readonly says: string;
  /** `section id`, or `section SHOULD id`; the id without its `tck-id-`. */
  readonly ids: readonly string[];
  /** `messages`: any subscriber's capture decides it; `connections`: one made in a broker does. */
  readonly needs: 'messages' | 'connections';
  readonly check: Check;
}

/** `true`: as it should be; a text: how it is not; `undefined`: it has no bearing. */
export type Verdict = true | string | undefined;

/** Judges every message that `concerns` picks. */
export function each(
  concerns: (message: Heard) => boolean,
  judge: (message: Heard) => Verdict,
): Check {
  return function* ({ messages }) {
    for (const message of messages) {
      if (concerns(message)) yield* weigh(message.event, judge(message));
    }
  };
}

/** Judges every metric of the messages picked; of each message, the first that is at fault. */
export function eachMetric(
  concerns: (message: Heard) => boolean,
  judge: (metric: MetricView, message: Heard) => Verdict,
): Check {
  return each(concerns, (message) =>
    firstFault(message.payload?.metrics ?? [], (metric) => {
      const verdict = judge(metric, message);
      return typeof verdict === 'string' ? `metric ${label(metric)}: ${verdict}` : verdict;
    }),
  );
}

/** Judges every will. */
export function eachWill(
  concerns: (message: Message) => boolean,
  judge: (message: Message) => Verdict,
): Check {
  return function* ({ wills }) {
    for (const will of wills) if (concerns(will)) yield* weigh(will.event, judge(will));
  };
}

/** The first text among the verdicts; else `true`, if one is. */
export function firstFault<T>(items: Iterable<T>, judge: (item: T) => Verdict): Verdict {
  let all: Verdict;
  for (const item of items) {
    const verdict = judge(item);
    if (typeof verdict === 'string') return verdict;
    all = verdict ?? all;
  }
  return all;
}

function* weigh(event: CaptureEvent, verdict: Verdict): Generator<Evidence> {
  if (verdict === undefined) return;
  yield { event, fault: verdict === true ? undefined : verdict };
}

export function of(...verbs: readonly (Verb | 'STATE')[]): (message: Message) => boolean {
  return ({ verb }) => verb !== undefined && verbs.includes(verb);
}

export const births = of('NBIRTH', 'DBIRTH');
export const commands = of('NCMD', 'DCMD');
export const data = isData;
export const rebirthRequests = asksForRebirth;

/** A metric's name, or else its alias, as a fault tells it. */
export function label({ name, alias }: MetricView): string {
  if (typeof name === 'string') return JSON.stringify(name.slice(0, 80));
  return typeof alias === 'bigint' ? `of alias ${alias}` : 'without name and alias';
}
