import { sourceOf } from './message.ts';
import type { MetricView, ValueView } from './payload-view.ts';
import { definitionOf, type Heard } from './replay.ts';
import { births, type Check, data, type Evidence, type Rule } from './rule.ts';

/** Data because something changed, not because it is time: specification, 2.2 and 5.16. */
export const reportByExceptionRules: readonly Rule[] = [
  exceptionRule('NDATA and DDATA', '2.2 SHOULD principles-rbe-recommended', () => true),
  exceptionRule(
    'NDATA',
    '5.16 SHOULD operational-behavior-data-publish-nbirth-change',
    ({ device }) => device === undefined,
  ),
  exceptionRule(
    'DDATA',
    '5.16 SHOULD operational-behavior-data-publish-dbirth-change',
    ({ device }) => device !== undefined,
  ),
];

function exceptionRule(verbs: string, id: string, concerns: (message: Heard) => boolean): Rule {
  return {
    applies: 'edge',
    says: `Every value in ${verbs} differs from the one before it, historical ones apart`,
    ids: [id],
    needs: 'messages',
    check: changes(concerns),
  };
}

function changes(concerns: (message: Heard) => boolean): Check {
  return function* ({ messages }): Generator<Evidence> {
    const newest = new Map<string, string>();
    for (const message of messages) {
      if (!concerns(message) || !(births(message) || data(message))) continue;
      const same = (message.payload?.metrics ?? []).filter((metric) =>
        isRepeated(newest, message, metric),
      );
      if (!data(message)) continue;
      const [first] = same;
      const fault =
        first === undefined ? undefined : `metric ${first.name ?? first.alias} is as it was`;
      yield { event: message.event, fault };
    }
  };
}

/** Remembers the value. */
function isRepeated(newest: Map<string, string>, message: Heard, metric: MetricView): boolean {
  if (metric.isHistorical) return false;
  const name = metric.name ?? definitionOf(message, metric)?.name;
  if (typeof name !== 'string') return false;
  const key = `${sourceOf(message)} ${name}`;
  const value = metric.isNull ? 'null' : textOf(metric.value);
  const before = newest.get(key);
  newest.set(key, value);
  return before === value && data(message);
}

/** Equal for equal values; properties count, as a change of quality is one. */
function textOf(value: ValueView | undefined): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}` : inner instanceof Uint8Array ? [...inner] : inner,
  );
}
