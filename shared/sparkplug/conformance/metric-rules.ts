import { datatypeOf } from '../datatype.ts';
import type { Verb } from './message.ts';
import type { MetricView } from './payload-view.ts';
import type { Seen } from './protobuf-fields.ts';
import { definitionOf, type Heard } from './replay.ts';
import {
  births,
  CLOCKS_APART_MAX_MS,
  commands,
  data,
  each,
  eachMetric,
  firstFault,
  label,
  of,
  type Rule,
  type Verdict,
} from './rule.ts';

/** Milliseconds of 2000-01-01: what is before it counts seconds, or nothing. */
const PLAUSIBLE_MIN_MS = 946_684_800_000;
const UINT32_MAX = 0xffff_ffffn;

const STAMPS: Partial<Record<Verb, { readonly sections: string; readonly topic?: string }>> = {
  NBIRTH: { sections: '6.4.19', topic: '4.2.1.1.2' },
  DBIRTH: { sections: '6.4.20', topic: '4.2.2.1.2' },
  NDATA: { sections: '6.4.21', topic: '4.2.1.2.2' },
  DDATA: { sections: '6.4.22', topic: '4.2.2.2.2' },
  NCMD: { sections: '6.4.23', topic: '4.2.1.4.2' },
  DCMD: { sections: '6.4.24', topic: '4.2.2.4.2' },
  DDEATH: { sections: '6.4.26' },
};

/** Metrics and time stamps: specification, 4.2, 5.2, 5.16 and 6.4.5, 6.4.6, 6.4.19 to 6.4.26. */
export const metricRules: readonly Rule[] = [
  ...(['NBIRTH', 'DBIRTH', 'NDATA', 'DDATA', 'NCMD', 'DCMD', 'DDEATH'] as const).map(stampRule),
  {
    applies: 'both',
    says: `The time stamp of a payload is UTC, ${CLOCKS_APART_MAX_MS} ms off at most`,
    ids: ['6.4.5 payloads-timestamp-in-UTC'],
    needs: 'messages',
    check: each(isStamped, ({ payload, event }) => {
      const stamp = Number(payload!.timestamp);
      const apart = Math.abs(stamp - event.at);
      return apart <= CLOCKS_APART_MAX_MS || `it is ${Math.round(apart / 1000)} s off`;
    }),
  },
  {
    applies: 'edge',
    says: 'The time stamp of a metric is UTC in milliseconds, not before 2000 and not ahead',
    ids: ['6.4.6 payloads-metric-timestamp-in-UTC'],
    needs: 'messages',
    check: eachMetric(
      (message) => births(message) || data(message) || commands(message),
      ({ timestamp }, { event }) => {
        if (typeof timestamp !== 'bigint') return undefined;
        const stamp = Number(timestamp);
        if (stamp < PLAUSIBLE_MIN_MS) return `${timestamp} is no time in milliseconds`;
        return stamp <= event.at + CLOCKS_APART_MAX_MS || `${timestamp} is yet to come`;
      },
    ),
  },
  {
    applies: 'edge',
    says: 'Every metric in births and data has a time stamp',
    ids: ['6.4.6 payloads-name-birth-data-requirement'],
    needs: 'messages',
    check: eachMetric(
      (message) => births(message) || data(message),
      ({ timestamp }) => typeof timestamp === 'bigint' || 'it has no time stamp',
    ),
  },
  {
    applies: 'both',
    says: 'Every metric has a name; outside births an alias will do',
    ids: ['6.4.6 payloads-name-requirement'],
    needs: 'messages',
    check: eachMetric(
      (message) => births(message) || data(message) || commands(message),
      ({ name, alias }, message) => {
        if (typeof name === 'string' && name !== '') return true;
        return (typeof alias === 'bigint' && !births(message)) || 'it has no name';
      },
    ),
  },
  {
    applies: 'edge',
    says: 'No two metrics of an edge node and its devices have the same alias',
    ids: ['6.4.6 payloads-alias-uniqueness'],
    needs: 'messages',
    check: each(births, ({ aliasTaken, payload }) => {
      if (aliasTaken !== undefined) return `alias ${aliasTaken} is another metric's`;
      return payload?.metrics.some(({ alias }) => alias !== undefined) ? true : undefined;
    }),
  },
  {
    applies: 'edge',
    says: 'A metric with an alias has its name in the birth too',
    ids: ['6.4.6 payloads-alias-birth-requirement'],
    needs: 'messages',
    check: eachMetric(births, ({ alias, name }) =>
      alias === undefined ? undefined : typeof name === 'string' || 'it has an alias but no name',
    ),
  },
  {
    applies: 'both',
    says: 'In data and commands a metric that has an alias goes by that, without its name',
    ids: ['6.4.6 payloads-alias-data-cmd-requirement'],
    needs: 'messages',
    check: eachMetric((message) => data(message) || commands(message), goesByAlias),
  },
  ...datatypeRules(),
  ...contentRules('NBIRTH', {
    all: ['4.2.1.1.2 topics-nbirth-metrics'],
    values: ['5.16 operational-behavior-data-publish-nbirth-values'],
  }),
  ...contentRules('DBIRTH', {
    all: ['4.2.2.1.2 topics-dbirth-metrics'],
    values: ['5.16 operational-behavior-data-publish-dbirth-values'],
  }),
  ...definedRules('NDATA', [
    '4.2.1.1.2 topics-nbirth-metric-reqs',
    '5.16 operational-behavior-data-publish-nbirth',
  ]),
  ...definedRules('DDATA', [
    '4.2.2.1.2 topics-dbirth-metric-reqs',
    '5.16 operational-behavior-data-publish-dbirth',
  ]),
  chronologyRule(['NBIRTH', 'NDATA'], 'nbirth'),
  chronologyRule(['DBIRTH', 'DDATA'], 'dbirth'),
  ...(['NDATA', 'DDATA', 'NCMD', 'DCMD'] as const).map(filledRule),
  {
    applies: 'edge',
    says: 'No two metrics of a birth differ by case alone',
    ids: ['5.2 SHOULD case-sensitivity-metric-names'],
    needs: 'messages',
    check: each(births, ({ payload }) => {
      const names = (payload?.metrics ?? []).flatMap(({ name }) => name ?? []);
      const folded = new Set(names.map((name) => name.toLowerCase()));
      return folded.size === new Set(names).size || 'two names differ by case alone';
    }),
  },
];

function stampRule(verb: Verb): Rule {
  const { sections, topic } = STAMPS[verb]!;
  const short = verb.toLowerCase();
  return {
    applies: verb.endsWith('CMD') ? 'host' : 'edge',
    says: `The payload of ${verb} has a time stamp`,
    ids: [
      ...(topic === undefined ? [] : [`${topic} topics-${short}-timestamp`]),
      `${sections} payloads-${short}-timestamp`,
    ],
    needs: 'messages',
    check: each(
      of(verb),
      ({ payload }) => typeof payload?.timestamp === 'bigint' || 'it has no time stamp',
    ),
  };
}

/** An NDEATH may be a will of long ago, and so may what the broker kept. */
function isStamped({ verb, payload, event }: Heard): boolean {
  const isKept = event.kind === 'publish' && event.kept === true;
  return typeof payload?.timestamp === 'bigint' && verb !== 'NDEATH' && !isKept;
}

function goesByAlias(metric: MetricView, message: Heard): Verdict {
  if (typeof metric.alias === 'bigint') {
    return metric.name === undefined || 'it has its name beside its alias';
  }
  const definition = definitionOf(message, metric);
  if (definition === undefined) return undefined;
  return definition.alias === undefined ? undefined : `it goes by its name, not its alias`;
}

function datatypeRules(): Rule[] {
  const whole = (message: Heard) => births(message) || data(message) || commands(message);
  const both = { applies: 'both', needs: 'messages' } as const;
  return [
    {
      ...both,
      says: 'The data type of a metric is an unsigned integer of 32 bits',
      ids: ['6.4.6 payloads-metric-datatype-value-type'],
      check: eachMetric(whole, ({ datatype }) => isUint32(datatype)),
    },
    {
      ...both,
      says: 'The data type of a metric is one of 1 to 34',
      ids: ['6.4.6 payloads-metric-datatype-value'],
      check: eachMetric(whole, ({ datatype }) => {
        if (datatype === undefined) return undefined;
        return isKnownType(datatype) || `there is no data type ${datatype}`;
      }),
    },
    {
      applies: 'edge',
      says: 'Every metric in a birth has a data type',
      ids: ['6.4.6 payloads-metric-datatype-req'],
      needs: 'messages',
      check: eachMetric(births, ({ datatype }) => datatype !== undefined || 'it has no data type'),
    },
    {
      ...both,
      says: 'No metric in data and commands has a data type',
      ids: ['6.4.6 SHOULD payloads-metric-datatype-not-req'],
      check: eachMetric(
        (message) => data(message) || commands(message),
        ({ datatype }) => datatype === undefined || 'it has a data type',
      ),
    },
  ];
}

/** Of data types in metrics, properties, columns and parameters. */
export function isUint32(datatype: Seen<bigint>): Verdict {
  if (datatype === undefined) return undefined;
  if (datatype === null) return 'the data type is not an integer';
  return datatype <= UINT32_MAX || `the data type ${datatype} has more than 32 bits`;
}

/** Type 0 (Unknown) is a place for types to come, and no type of a value. */
function isKnownType(datatype: Seen<bigint>): boolean {
  return (
    typeof datatype === 'bigint' && datatype > 0n && datatypeOf(Number(datatype)) !== undefined
  );
}

interface ContentIds {
  readonly all: readonly string[];
  readonly values: readonly string[];
}

function contentRules(verb: Verb, ids: ContentIds): Rule[] {
  const both = { applies: 'edge', needs: 'messages' } as const;
  return [
    {
      ...both,
      says: `Every metric in ${verb} has name, data type and value, or is marked as null`,
      ids: ids.all,
      check: eachMetric(of(verb), (metric) => {
        if (typeof metric.name !== 'string') return 'it has no name';
        if (metric.datatype === undefined) return 'it has no data type';
        return metric.isNull || metric.value !== undefined || 'it has no value';
      }),
    },
    {
      ...both,
      says: `Every metric in ${verb} has a value, or is marked as null and has none`,
      ids: ids.values,
      check: eachMetric(of(verb), ({ isNull, value }) => {
        if (isNull) return value === undefined || 'it is marked as null and has a value';
        return value !== undefined || 'it has no value and is not marked as null';
      }),
    },
  ];
}

function definedRules(verb: 'NDATA' | 'DDATA', ids: readonly string[]): Rule[] {
  const birth = verb === 'NDATA' ? 'NBIRTH' : 'DBIRTH';
  return [
    {
      applies: 'edge',
      says: `Every metric in ${verb} is in the ${birth}`,
      ids,
      needs: 'messages',
      check: each(of(verb), (message) => {
        const defining = verb === 'NDATA' ? message.birth : message.deviceBirth;
        if (defining === undefined) return undefined;
        return firstFault(
          message.payload?.metrics ?? [],
          (metric) =>
            definitionOf(message, metric) !== undefined ||
            `metric ${label(metric)} is not in the ${birth}`,
        );
      }),
    },
  ];
}

function chronologyRule(verbs: readonly Verb[], id: string): Rule {
  return {
    applies: 'edge',
    says: `Metrics of ${verbs.join(' and ')} are in order of time, historical ones apart`,
    ids: [`5.16 operational-behavior-data-publish-${id}-order`],
    needs: 'messages',
    check: each(of(...verbs), ({ payload }) => {
      let newest = 0n;
      const current = (payload?.metrics ?? []).filter(({ isHistorical }) => !isHistorical);
      return firstFault(current, (metric) => {
        if (typeof metric.timestamp !== 'bigint') return undefined;
        if (metric.timestamp < newest) return `metric ${label(metric)} is older than one before it`;
        newest = metric.timestamp;
        return true;
      });
    }),
  };
}

function filledRule(verb: Verb): Rule {
  const isCommand = verb.endsWith('CMD');
  const unseen = isCommand ? 'what else was meant' : 'what else changed';
  const section = { NDATA: '4.2.1.2.2', DDATA: '4.2.2.2.2', NCMD: '4.2.1.4.2', DCMD: '4.2.2.4.2' };
  return {
    applies: isCommand ? 'host' : 'edge',
    says: `${verb} has one metric at least; ${unseen} is not seen`,
    ids: [`${section[verb as keyof typeof section]} topics-${verb.toLowerCase()}-payload`],
    needs: 'messages',
    check: each(
      of(verb),
      ({ payload }) => (payload?.metrics.length ?? 0) > 0 || 'it has no metrics',
    ),
  };
}
