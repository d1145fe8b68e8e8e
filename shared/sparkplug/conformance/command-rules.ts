import { bdSeqOf, isData, isFromEdge, type Message, metricNamed, REBIRTH } from './message.ts';
import type { MetricView, ValueKind } from './payload-view.ts';
import { definitionOf, type Heard, type Replay } from './replay.ts';
import {
  commands,
  type Evidence,
  each,
  eachMetric,
  firstFault,
  label,
  of,
  type Rule,
  rebirthRequests,
  TRANSIT_MAX_MS,
  type Verdict,
} from './rule.ts';

/** Commands, and what an edge node does when it is asked for its births: specification, 5.17. */
export const commandRules: readonly Rule[] = [
  {
    applies: 'host',
    says: 'What concerns an edge node itself goes by NCMD',
    ids: ['5.17 operational-behavior-data-commands-ncmd-verb'],
    needs: 'messages',
    check: each(namesCommand, ({ verb, levels }) => {
      if (levels.length !== 4) return undefined;
      return verb === 'NCMD' || `a command to an edge node goes by ${levels[2]}`;
    }),
  },
  {
    applies: 'host',
    says: 'What concerns a device goes by DCMD',
    ids: ['5.17 operational-behavior-data-commands-dcmd-verb'],
    needs: 'messages',
    check: each(namesCommand, ({ verb, levels }) => {
      if (levels.length < 5) return undefined;
      return verb === 'DCMD' || `a command to a device goes by ${levels[2]}`;
    }),
  },
  ...(['NCMD', 'DCMD'] as const).flatMap(writingRules),
  {
    applies: 'host',
    says: 'A request for a rebirth goes by NCMD',
    ids: ['5.17 operational-behavior-data-commands-ncmd-rebirth-verb'],
    needs: 'messages',
    check: each(
      (message) => isTrue(metricNamed(message, REBIRTH)),
      ({ verb }) => verb === 'NCMD' || `it goes by ${verb}`,
    ),
  },
  {
    applies: 'host',
    says: 'A request for a rebirth names Node Control/Rebirth exactly',
    ids: ['5.17 operational-behavior-data-commands-ncmd-rebirth-name'],
    needs: 'messages',
    check: each(of('NCMD'), ({ payload }) =>
      firstFault(payload?.metrics ?? [], ({ name }) => {
        if (typeof name !== 'string' || !/rebirth$/i.test(name)) return undefined;
        return name === REBIRTH || `it names ${label({ name } as MetricView)}`;
      }),
    ),
  },
  {
    applies: 'host',
    says: 'A request for a rebirth has the value true',
    ids: ['5.17 operational-behavior-data-commands-ncmd-rebirth-value'],
    needs: 'messages',
    check: each(
      rebirthRequests,
      (message) => isTrue(metricNamed(message, REBIRTH)) || 'its value is not true',
    ),
  },
  {
    applies: 'edge',
    says: `No data comes between a request for a rebirth, ${TRANSIT_MAX_MS} ms later, and NBIRTH`,
    ids: ['5.17 operational-behavior-data-commands-rebirth-action-1'],
    needs: 'messages',
    check: afterRequests((request, next) => {
      const { verb, event } = next;
      if (event.at <= request.event.at + TRANSIT_MAX_MS && verb !== 'NBIRTH') return undefined;
      return isData(next) ? `${verb} came after the request, without an NBIRTH` : true;
    }),
  },
  {
    applies: 'edge',
    says: 'After a request for a rebirth come an NBIRTH and a DBIRTH of each device that was alive',
    ids: ['5.17 operational-behavior-data-commands-rebirth-action-2'],
    needs: 'messages',
    check: rebirthsAreWhole,
  },
  {
    applies: 'edge',
    says: 'The NBIRTH after a request for a rebirth has the bdSeq it had before',
    ids: ['5.17 operational-behavior-data-commands-rebirth-action-3'],
    needs: 'messages',
    check: afterRequests((request, next) => {
      if (next.verb !== 'NBIRTH' || request.birth === undefined) return undefined;
      const [before, own] = [bdSeqOf(request.birth), bdSeqOf(next)];
      return before === own || `its bdSeq is ${own}, and was ${before}`;
    }),
  },
];

function writingRules(verb: 'NCMD' | 'DCMD'): Rule[] {
  const short = verb.toLowerCase();
  const birth = verb === 'NCMD' ? 'NBIRTH' : 'DBIRTH';
  const both = { applies: 'host', needs: 'messages' } as const;
  const isKnown = (message: Heard) =>
    message.verb === verb && (verb === 'NCMD' ? message.birth : message.deviceBirth) !== undefined;
  return [
    {
      ...both,
      says: `The metrics of ${verb} are in the ${birth}`,
      ids: [`5.17 SHOULD operational-behavior-data-commands-${short}-metric-name`],
      check: eachMetric(
        isKnown,
        (metric, message) =>
          definitionOf(message, metric) !== undefined || `it is not in the ${birth}`,
      ),
    },
    {
      ...both,
      says: `The values of ${verb} suit the data types of the ${birth}`,
      ids: [`5.17 operational-behavior-data-commands-${short}-metric-value`],
      check: eachMetric(isKnown, (metric, message) => {
        const type = definitionOf(message, metric)?.datatype;
        if (typeof type !== 'bigint') return undefined;
        return suits(metric, type) || `its value is ${metric.value?.kind}, its data type ${type}`;
      }),
    },
  ];
}

/** Member of the `oneof` by data type: specification, 6.4.16. */
const VALUE_KINDS: readonly (readonly [ValueKind, readonly number[]])[] = [
  ['int', [1, 2, 3, 5, 6, 7]],
  ['long', [4, 8, 13]],
  ['float', [9]],
  ['double', [10]],
  ['boolean', [11]],
  ['string', [12, 14, 15]],
  ['dataset', [16]],
  ['bytes', [17, 18, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34]],
  ['template', [19]],
];

function suits({ isNull, value }: MetricView, type: bigint): boolean {
  if (isNull) return true;
  const [kind] = VALUE_KINDS.find(([, types]) => types.includes(Number(type))) ?? [];
  return value !== undefined && value.kind === kind;
}

/** NCMD, DCMD, and what stands in their place without being either. */
function namesCommand({ levels }: Message): boolean {
  return levels[1] !== 'STATE' && /cmd$/i.test(levels[2] ?? '');
}

function isTrue(metric: MetricView | undefined): boolean {
  return metric?.value?.kind === 'boolean' && metric.value.value === 1n;
}

/** Judges what the edge node sends after each request, until it is born again or has died. */
function afterRequests(judge: (request: Heard, next: Heard) => Verdict) {
  return function* ({ messages }: Replay): Generator<Evidence> {
    const pending = new Map<string, Heard>();
    for (const message of messages) {
      const { node = '', verb, event } = message;
      if (isRequest(message) && !pending.has(node)) pending.set(node, message);
      const request = pending.get(node);
      if (request === undefined || !isFromEdge(message)) continue;
      if (verb === 'NDEATH' || verb === 'NBIRTH') pending.delete(node);
      const verdict = verb === 'NDEATH' ? undefined : judge(request, message);
      if (verdict !== undefined) {
        yield { event, fault: verdict === true ? undefined : verdict };
      }
    }
  };
}

function isRequest(message: Heard): boolean {
  return rebirthRequests(message) && isTrue(metricNamed(message, REBIRTH));
}

/** Each request is judged by the first data that comes after its NBIRTH, or instead of it. */
function* rebirthsAreWhole({ messages }: Replay): Generator<Evidence> {
  const pending = new Map<string, { readonly request: Heard; isBorn: boolean }>();
  for (const message of messages) {
    const { node = '', verb, event } = message;
    if (commands(message) && isRequest(message) && !pending.has(node)) {
      pending.set(node, { request: message, isBorn: false });
    }
    const state = pending.get(node);
    if (state === undefined) continue;
    if (verb === 'NBIRTH') state.isBorn = true;
    if (verb === 'NDEATH') pending.delete(node);
    if (!isData(message)) continue;
    const isOnTheWay = event.at <= state.request.event.at + TRANSIT_MAX_MS;
    if (!state.isBorn && isOnTheWay) continue;
    pending.delete(node);
    yield { event, fault: state.isBorn ? missing(message) : 'data came, and no NBIRTH before it' };
  }
}

function missing({ awaited }: Heard): string | undefined {
  return awaited === undefined ? undefined : `data came, and no DBIRTH of ${awaited} before it`;
}
