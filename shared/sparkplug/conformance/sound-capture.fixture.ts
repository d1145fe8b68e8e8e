import { DraftCapture, type DraftEvent, type DraftMessage, double } from './draft.fixture.ts';

export const START = 1_790_000_000_000;
const STATE = 'spBv1.0/STATE/scada';

/** The topic of a verb for the edge node, or its device. */
export function topicOf(verb: string): string {
  return `spBv1.0/plant/${verb}/press${verb.startsWith('D') ? '/valve' : ''}`;
}

export function stateOf(online: boolean, timestamp: number): string {
  return JSON.stringify({ online, timestamp });
}

/**
 * A host application and an edge node with one device, over both versions of MQTT, as a broker saw
 * them; it breaks nothing and shows every assertion but those on reordering. It takes 10 s or so.
 */
export function soundCapture(startMs = START): DraftCapture {
  const clock = { at: startMs };
  const events = [
    ...hostComes(clock, { tag: 'host', protocol: 4 }),
    ...edgeComes(clock, { tag: 'edge', protocol: 4, bdSeq: 0 }),
    ...edgeWorks(clock),
    ...hostIsDoubted(clock, startMs),
    tagged('ddata-3', deviceData(clock, 9, 5)),
    tagged('ddeath', message(clock, 'DDEATH', { metrics: [], seq: 10 })),
    ...hostGoes(clock, 'host'),
    ...edgeGoes(clock, { tag: 'edge', bdSeq: 0, reason: 0 }),
    ...hostComes(clock, { tag: 'host-2', protocol: 5 }),
    ...edgeComes(clock, { tag: 'edge-2', protocol: 5, bdSeq: 1 }),
    ...edgeGoes(clock, { tag: 'edge-2', bdSeq: 1, reason: 4 }),
    ...hostGoes(clock, 'host-2'),
  ];
  return new DraftCapture(events);
}

/** A message is missing, and comes late, within a timeout of 2 s; another never comes. */
export function reorderedCapture(): DraftCapture {
  const clock = { at: START };
  const late = (tag: string, seq: number, afterMs: number) => {
    clock.at += afterMs;
    return tagged(tag, nodeData(clock, seq, seq));
  };
  return new DraftCapture([
    tagged('nbirth', nodeBirth(clock, 0)),
    late('seq 2', 2, 100),
    late('seq 1', 1, 500),
    late('seq 3', 3, 5000),
    late('seq 5', 5, 100),
    tagged('request', { ...rebirthRequest(clock), at: clock.at + 2000 }),
    late('seq 6', 6, 9000),
  ]);
}

interface Clock {
  at: number;
}

function tick(clock: Clock): number {
  clock.at += 100;
  return clock.at;
}

function tagged(tag: string, event: DraftEvent): DraftEvent {
  return { ...event, tag };
}

interface Coming {
  readonly tag: string;
  readonly protocol: 4 | 5;
}

function hostComes(clock: Clock, { tag, protocol }: Coming): DraftEvent[] {
  const at = tick(clock);
  const own = { at, client: 'host' };
  const state = { ...own, topic: STATE, qos: 1, retain: true };
  return [
    { ...own, tag: `${tag} connect`, kind: 'connect', protocol, clean: true },
    { ...state, tag: `${tag} will`, kind: 'will', payload: stateOf(false, at) },
    { ...own, tag: `${tag} state`, kind: 'subscribe', topic: STATE, qos: 1 },
    { ...own, tag: `${tag} all`, kind: 'subscribe', topic: 'spBv1.0/#', qos: 0 },
    { ...state, tag: `${tag} birth`, kind: 'publish', payload: stateOf(true, at) },
  ];
}

function hostGoes(clock: Clock, tag: string): DraftEvent[] {
  const own = { at: tick(clock), client: 'host' };
  const payload = stateOf(false, own.at);
  return [
    { ...own, tag: `${tag} death`, kind: 'publish', topic: STATE, qos: 1, retain: true, payload },
    { ...own, tag: `${tag} disconnect`, kind: 'disconnect', reason: 0 },
  ];
}

/** The will of a lost link, sent late by the broker: the host says that it is there. */
function hostIsDoubted(clock: Clock, startMs: number): DraftEvent[] {
  const at = tick(clock);
  const state = { topic: STATE, qos: 1, retain: true, kind: 'publish' } as const;
  const payload = stateOf(true, startMs + 100);
  return [
    { ...state, tag: 'doubt', at, payload: stateOf(false, startMs) },
    { ...state, tag: 'answer', at: tick(clock), client: 'host', payload },
  ];
}

function edgeComes(clock: Clock, { tag, protocol, bdSeq }: Coming & { bdSeq: number }) {
  const at = tick(clock);
  const own = { at, client: 'edge' };
  const hears = (name: string, topic: string): DraftEvent => ({
    ...{ ...own, tag: `${tag} ${name}`, kind: 'subscribe', topic, qos: 1 },
  });
  const will = message(clock, 'NDEATH', { metrics: [bdSeqMetric(at, bdSeq)] });
  const born = bdSeq === 0 ? '' : '-of-2';
  return [
    { ...own, tag: `${tag} connect`, kind: 'connect', protocol, clean: true },
    { ...will, tag: `${tag} will`, kind: 'will', qos: 1 },
    hears('ncmd', topicOf('NCMD')),
    hears('dcmd', topicOf('DCMD')),
    hears('primary', STATE),
    tagged(`nbirth${born}`, nodeBirth(clock, bdSeq)),
    tagged(`dbirth${born}`, deviceBirth(clock, 1)),
  ] satisfies DraftEvent[];
}

function edgeWorks(clock: Clock): DraftEvent[] {
  const events = [
    tagged('ndata', nodeData(clock, 2, 2.5)),
    tagged('ddata', deviceData(clock, 3, 4)),
    tagged('ncmd', command(clock, 'NCMD', { alias: 1, double: double(3) })),
    tagged('dcmd', command(clock, 'DCMD', { alias: 11, boolean: true })),
    tagged('request', rebirthRequest(clock)),
  ];
  clock.at += 2000;
  return [
    ...events,
    tagged('rebirth', nodeBirth(clock, 0)),
    tagged('device-rebirth', deviceBirth(clock, 1)),
    ...[2, 3, 4, 5, 6, 7].map((seq) => tagged(`ndata-${seq}`, nodeData(clock, seq, seq + 10))),
    tagged('ddata-2', deviceData(clock, 8, 8)),
  ];
}

function edgeGoes(
  clock: Clock,
  { tag, bdSeq, reason }: { tag: string; bdSeq: number; reason: number },
) {
  clock.at += 2000;
  const death = message(clock, 'NDEATH', { metrics: [bdSeqMetric(clock.at, bdSeq)] });
  const disconnect = { at: tick(clock), client: 'edge', kind: 'disconnect', reason } as const;
  return [
    { ...death, tag: `${tag} death`, qos: 1 },
    { ...disconnect, tag: `${tag} disconnect` },
  ] satisfies DraftEvent[];
}

function message(clock: Clock, verb: string, payload: DraftMessage, client = 'edge'): DraftEvent {
  const at = tick(clock);
  return {
    ...{ tag: verb, kind: 'publish', at, client, topic: topicOf(verb), qos: 0, retain: false },
    payload: { timestamp: at, ...payload },
  };
}

function bdSeqMetric(timestamp: number, bdSeq: number): DraftMessage {
  return { name: 'bdSeq', timestamp, datatype: 4, long: bdSeq };
}

function nodeBirth(clock: Clock, bdSeq: number): DraftEvent {
  const timestamp = clock.at;
  const metrics = [
    bdSeqMetric(timestamp, bdSeq),
    { name: 'Node Control/Rebirth', timestamp, datatype: 11, boolean: false },
    {
      ...{ name: 'heat', alias: 1, timestamp, datatype: 10, double: double(2) },
      properties: {
        keys: ['Quality', 'unit'],
        values: [
          { type: 3, int: 192 },
          { type: 12, string: 'degC' },
        ],
      },
    },
    { name: 'Pump', timestamp, datatype: 19, template: pump({ is_definition: true }) },
    {
      ...{ name: 'pump 1', alias: 2, timestamp, datatype: 19 },
      template: pump({ is_definition: false, template_ref: 'Pump' }),
    },
    { name: 'table', alias: 3, timestamp, datatype: 16, dataset: table() },
  ];
  return message(clock, 'NBIRTH', { metrics, seq: 0 });
}

function pump(role: DraftMessage): DraftMessage {
  const member = { name: 'speed', timestamp: START, datatype: 3, int: 7 };
  const parameter = { name: 'size', type: 3, int: 4 };
  return { version: '1', metrics: [member], parameters: [parameter], ...role };
}

function table(): DraftMessage {
  const elements = [{ int: 1 }, { string: 'one' }];
  return { num_of_columns: 2, columns: ['n', 'name'], types: [3, 12], rows: [{ elements }] };
}

function deviceBirth(clock: Clock, seq: number): DraftEvent {
  const timestamp = clock.at;
  const metrics = [
    { name: 'level', alias: 10, timestamp, datatype: 3, int: 1 },
    { name: 'open', alias: 11, timestamp, datatype: 11, boolean: false },
    { name: 'wear', alias: 12, timestamp, datatype: 10, is_null: true },
  ];
  return message(clock, 'DBIRTH', { metrics, seq });
}

function nodeData(clock: Clock, seq: number, heat: number): DraftEvent {
  const metric = { alias: 1, timestamp: clock.at, double: double(heat) };
  return message(clock, 'NDATA', { metrics: [metric], seq });
}

function deviceData(clock: Clock, seq: number, level: number): DraftEvent {
  const metric = { alias: 10, timestamp: clock.at, int: level };
  return message(clock, 'DDATA', { metrics: [metric], seq });
}

function command(clock: Clock, verb: string, metric: DraftMessage): DraftEvent {
  return message(clock, verb, { metrics: [metric] }, 'host');
}

function rebirthRequest(clock: Clock): DraftEvent {
  return command(clock, 'NCMD', { name: 'Node Control/Rebirth', boolean: true });
}
