import { z } from 'zod';

/** One parameter of a query as the API's description shows it; handlers read it by name. */
export interface QueryParameter {
  readonly name: string;
  readonly description: string;
  readonly schema: z.ZodType;
}

const count = z.int().min(0);
const time = z.string().meta({ examples: ['2026-11-22T12:00:00Z', '1795348800000'] });
const duration = z.string().regex(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)?$/);

function parameter(name: string, description: string, schema: z.ZodType = z.string()) {
  return { name, description, schema } satisfies QueryParameter;
}

/** Every parameter of every query. */
export const parameters = {
  fields: parameter('fields', 'What is shown: paths parted by commas, as thingId,attributes(a,b).'),
  condition: parameter('condition', 'RQL that must hold of the thing; else 412, or 304 to GET.'),
  revisionAt: parameter('at-historical-revision', 'The thing as it was at a revision.', count),
  timeAt: parameter('at-historical-timestamp', 'The thing as it was at a time.', time),
  revisionFrom: parameter('from-historical-revision', 'Events from there on (streams).', count),
  revisionTo: parameter('to-historical-revision', 'Events up to there, then the end.', count),
  ids: parameter('ids', 'The ids of things, parted by commas.'),
  namespaces: parameter('namespaces', 'Things of these namespaces only, parted by commas.'),
  filter: parameter('filter', 'RQL, as eq(attributes/room,"5.31").'),
  option: parameter('option', 'size(N), sort(+path,-path), cursor(C), parted by commas.'),
  scope: parameter(
    'scope',
    'network: things of all edge nodes that answer; node: of this one.',
    z.enum(['network', 'node']),
  ),
  at: parameter('at', 'The moment it is of, by the device’s clock; now where left out.', time),
  relatedTo: parameter('to', 'The id of a thing.'),
  from: parameter('from', 'The first moment; an hour before the last where left out.', time),
  to: parameter('to', 'The moment after the last; now where left out.', time),
  step: parameter('step', 'Sums up by steps of this length, as 10s or 1m.', duration),
  agg: parameter('agg', 'Some of avg,min,max,last,first,count, parted by commas.'),
  timeout: parameter('timeout', 'How long to wait for a reply, 60s at most; 0: not.', duration),
} as const;
