import {
  aliasesWithout,
  bdSeqOf,
  type HostFailure,
  type ReportedValue,
  readBirth,
  reported,
  resolveMetric,
} from './host-birth.ts';
import { rebirthRequest } from './host-commands.ts';
import type {
  HostNode,
  HostNodeEffect,
  HostNodeInput,
  HostNodeStep,
  NodeMessage,
} from './host-node-state.ts';
import type { Instant } from './publication.ts';

/** The interval between requests for births doubles this often at most. */
const DOUBLINGS_MAX = 8;

/**
 * Advances what a host application knows of one edge node by one input (Sparkplug 3.0, 5.3 to 5.7
 * and 5.12). Messages count only in the order of their numbers since an NBIRTH; where one is
 * missing or cannot be read, all is stale (`node-lost`) and births are asked for.
 *
 * What the protocol cannot tell: 256 messages lost in a row from none, and the messages that follow
 * an NBIRTH which was lost itself from those that the birth before would be followed by.
 */
export function stepHostNode(node: HostNode, input: HostNodeInput): HostNodeStep {
  const { at } = input;
  switch (input.kind) {
    case 'message':
      return receive(node, input.message, at);
    case 'malformed': {
      const { message } = input.failure;
      return lose(node, at, { code: 'message-malformed', message });
    }
    case 'link-down': {
      const request = { ...node.request, isWanted: true };
      return { node: { ...unlearned(node), request }, effects: lostEffects(node, at) };
    }
    case 'link-up':
      return ask(node, at);
    case 'tick':
      return tick(node, at);
  }
}

function receive(node: HostNode, message: NodeMessage, at: Instant): HostNodeStep {
  switch (message.verb) {
    case 'NDEATH':
      return die(node, message, at);
    case 'NBIRTH':
      return bear(node, message, at);
    default:
      return node.phase === 'refused' ? unchanged(node) : arrange(node, message, at);
  }
}

/** Only the death of the session that the last birth opened counts; wills may come late. */
function die(node: HostNode, { payload }: NodeMessage, at: Instant): HostNodeStep {
  const bdSeq = bdSeqOf(payload);
  if (bdSeq === undefined) {
    return refused(node, { code: 'death-malformed', message: 'a death without its bdSeq' });
  }
  const isOwn = node.bdSeq === undefined || node.bdSeq === bdSeq;
  if (node.phase === 'dead' || !isOwn) return unchanged({ ...node, deadBdSeq: bdSeq });
  const request = { ...node.request, isWanted: false };
  return {
    node: { ...unlearned(node), phase: 'dead', deadBdSeq: bdSeq, request },
    effects: [{ kind: 'node-died', atMs: at.wallMs }],
  };
}

function bear(node: HostNode, message: NodeMessage, at: Instant): HostNodeStep {
  const { payload } = message;
  const { seq = -1, timestampMs: sentMs } = payload;
  const bdSeq = bdSeqOf(payload);
  if (seq < 0 || seq > 255 || bdSeq === undefined || sentMs === undefined) {
    const what = 'an NBIRTH without a valid seq, bdSeq or timestamp';
    return lose(node, at, { code: 'birth-malformed', message: what });
  }
  // Late, of a session that has ended, or by a clock that was set back: the answer to the request
  // is newer than this one in all three cases.
  if (sentMs < node.birthSentMs || bdSeq === node.deadBdSeq) {
    const doubted = { ...node, birthSentMs: sentMs, deadBdSeq: undefined };
    const what = `an NBIRTH is older than another, or of a session that has ended (${bdSeq})`;
    return lose(doubted, at, { code: 'birth-doubtful', message: what });
  }
  const birth = readBirth(payload, { device: undefined, others: new Map() });
  if (!birth.ok) return lose({ ...node, birthSentMs: sentMs }, at, birth.error);
  const { metrics, aliases, values } = birth.value;
  const born: HostNode = {
    ...node,
    ...{ phase: 'online', bdSeq, deadBdSeq: undefined, birthSentMs: sentMs, seq: (seq + 1) % 256 },
    ...{ metrics, aliases, devices: new Map(), gapEndsMs: undefined },
    buffer: sentAfter(node.buffer, { sentMs, seq }),
    request: { ...node.request, isWanted: false },
  };
  if (isTooLarge(born)) return refuseNode({ ...born, phase: node.phase }, at);
  const effects: HostNodeEffect[] = [{ kind: 'node-born', bdSeq, atMs: at.wallMs, values }];
  return drain({ node: born, effects }, at);
}

/**
 * The messages that came before the birth but were sent after it. Of the same millisecond they are
 * where they follow it without a gap; others may be of before.
 */
function sentAfter(
  buffer: readonly NodeMessage[],
  birth: { sentMs: number; seq: number },
): NodeMessage[] {
  const sameTime = new Set(
    buffer
      .filter(({ payload }) => payload.timestampMs === birth.sentMs)
      .map(({ payload }) => payload.seq),
  );
  let last = birth.seq;
  while (sameTime.delete((last + 1) % 256)) last = (last + 1) % 256;
  return buffer.filter(({ payload: { timestampMs = 0, seq } }) =>
    timestampMs === birth.sentMs ? !sameTime.has(seq) : timestampMs > birth.sentMs,
  );
}

/** Applies a message that is next, or lets it wait for those before it. */
function arrange(node: HostNode, message: NodeMessage, at: Instant): HostNodeStep {
  const { seq = -1, timestampMs = node.birthSentMs } = message.payload;
  if (seq < 0 || seq > 255) {
    const what = `${message.verb} without a valid seq`;
    return lose(node, at, { code: 'message-malformed', message: what });
  }
  if (node.phase === 'online') {
    // From before the birth, or the clock was set back: what follows will tell.
    if (timestampMs < node.birthSentMs) return startGap(node, at);
    if (seq === node.seq) return drain(apply(node, message, at), at);
    if (node.buffer.some(({ payload }) => payload.seq === seq)) {
      const what = `two messages of number ${seq}; look for two clients of one id`;
      return lose(node, at, { code: 'sequence-conflict', message: what });
    }
  }
  const buffer = [...node.buffer, message];
  const bytes = buffer.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { bufferMessagesMax, bufferBytesMax } = node.options;
  if (buffer.length > bufferMessagesMax || bytes > bufferBytesMax) {
    return lose(node, at, gapFailure(node));
  }
  return startGap({ ...node, buffer }, at);
}

function startGap(node: HostNode, at: Instant): HostNodeStep {
  if (node.gapEndsMs !== undefined) return unchanged(node);
  const gapEndsMs = at.monotonicMs + node.options.reorderTimeoutMs;
  if (gapEndsMs <= at.monotonicMs) return lose(node, at, gapFailure(node));
  return { node: { ...node, gapEndsMs }, effects: [{ kind: 'wake', atMs: gapEndsMs }] };
}

/** Applies what waited for the message just applied. */
function drain({ node, effects }: HostNodeStep, at: Instant): HostNodeStep {
  if (node.phase !== 'online') return { node, effects };
  const next = node.buffer.find(({ payload }) => payload.seq === node.seq);
  if (next === undefined) {
    const caughtUp: HostNode = { ...node, gapEndsMs: undefined };
    if (node.buffer.length === 0) return { node: caughtUp, effects };
    const waiting = startGap(caughtUp, at);
    return { node: waiting.node, effects: [...effects, ...waiting.effects] };
  }
  const buffer = node.buffer.filter((message) => message !== next);
  const step = apply({ ...node, buffer }, next, at);
  return drain({ node: step.node, effects: [...effects, ...step.effects] }, at);
}

function apply(before: HostNode, message: NodeMessage, at: Instant): HostNodeStep {
  const node: HostNode = { ...before, seq: (before.seq + 1) % 256 };
  switch (message.verb) {
    case 'DBIRTH':
      return bearDevice(node, message, at);
    case 'DDEATH':
      return loseDevice(node, message, at);
    default:
      return takeValues(node, message, at);
  }
}

function bearDevice(node: HostNode, { device, payload }: NodeMessage, at: Instant): HostNodeStep {
  const id = device ?? '';
  const others = aliasesWithout(node.aliases, id);
  const birth = readBirth(payload, { device: id, others });
  if (!birth.ok) return lose(node, at, birth.error);
  const { metrics, aliases, values } = birth.value;
  const devices = new Map(node.devices).set(id, { isUp: true, metrics });
  const born: HostNode = { ...node, aliases, devices };
  if (isTooLarge(born)) return refuseNode(born, at);
  return {
    node: born,
    effects: [{ kind: 'device-born', device: id, atMs: at.wallMs, values }],
  };
}

function loseDevice(node: HostNode, { device, payload }: NodeMessage, at: Instant): HostNodeStep {
  const id = device ?? '';
  const before = node.devices.get(id);
  if (!before?.isUp) return unchanged(node);
  const devices = new Map(node.devices).set(id, { ...before, isUp: false });
  const atMs = payload.timestampMs ?? at.wallMs;
  return { node: { ...node, devices }, effects: [{ kind: 'device-died', device: id, atMs }] };
}

function takeValues(node: HostNode, { device, payload }: NodeMessage, at: Instant): HostNodeStep {
  const unit = device === undefined ? { isUp: true, metrics: node.metrics } : undefined;
  const { isUp, metrics } = unit ?? node.devices.get(device ?? '') ?? { isUp: false };
  if (!isUp || metrics === undefined) {
    const message = `data of ${device}, which was not born`;
    return lose(node, at, { code: 'metric-unknown', message });
  }
  const effects: HostNodeEffect[] = [];
  const values: ReportedValue[] = [];
  for (const metric of payload.metrics) {
    const born = resolveMetric(metric, { metrics, aliases: node.aliases, device });
    if (!born.ok) return lose(node, at, born.error);
    const { name, datatype } = born.value;
    const value = reported({ ...metric, name }, datatype, payload);
    if (value.ok) values.push(value.value);
    else effects.push({ kind: 'refused', failure: value.error });
  }
  return { node, effects: [{ kind: 'values', device, values }, ...effects] };
}

function tick(node: HostNode, at: Instant): HostNodeStep {
  if (node.gapEndsMs !== undefined && at.monotonicMs >= node.gapEndsMs) {
    return lose(node, at, gapFailure(node));
  }
  const { isWanted, tries, notBeforeMs } = node.request;
  if (!isWanted || at.monotonicMs < notBeforeMs) return unchanged(node);
  return tries > node.options.rebirthTriesMax ? unchanged(node) : ask(node, at);
}

/** What is known of the edge node counts no longer; its births are asked for. */
function lose(node: HostNode, at: Instant, failure: HostFailure): HostNodeStep {
  const asked = ask(unlearned(node), at);
  const effects = [...lostEffects(node, at), { kind: 'refused', failure } as const];
  return { node: asked.node, effects: [...effects, ...asked.effects] };
}

function lostEffects({ phase }: HostNode, { wallMs }: Instant): HostNodeEffect[] {
  return phase === 'online' ? [{ kind: 'node-lost', atMs: wallMs }] : [];
}

function unlearned(node: HostNode): HostNode {
  const phase = node.phase === 'dead' ? 'dead' : 'unborn';
  const nothing = { metrics: new Map(), devices: new Map(), aliases: new Map() };
  return { ...node, ...nothing, phase, buffer: [], gapEndsMs: undefined };
}

/** Asks for births, or as soon as it may; again, ever less often, while none come. */
function ask(node: HostNode, { wallMs, monotonicMs }: Instant): HostNodeStep {
  const { tries, notBeforeMs } = node.request;
  const { rebirthIntervalMs, rebirthTriesMax } = node.options;
  if (monotonicMs < notBeforeMs) {
    const request = { ...node.request, isWanted: true };
    return { node: { ...node, request }, effects: [{ kind: 'wake', atMs: notBeforeMs }] };
  }
  const isCalm = monotonicMs >= notBeforeMs + intervalMs(rebirthIntervalMs, tries);
  const nextTries = isCalm ? 1 : tries + 1;
  const nextMs = monotonicMs + intervalMs(rebirthIntervalMs, isCalm ? 0 : tries);
  const request = { isWanted: true, tries: nextTries, notBeforeMs: nextMs };
  const effects: HostNodeEffect[] = [
    { kind: 'publish', message: rebirthRequest(node.address, wallMs) },
  ];
  if (nextTries <= rebirthTriesMax) effects.push({ kind: 'wake', atMs: nextMs });
  return { node: { ...node, request }, effects };
}

function intervalMs(baseMs: number, tries: number): number {
  return baseMs * 2 ** Math.min(tries, DOUBLINGS_MAX);
}

function isTooLarge({ options, metrics, devices }: HostNode): boolean {
  let count = metrics.size;
  for (const device of devices.values()) count += device.metrics.size;
  return devices.size > options.devicesMax || count > options.metricsMax;
}

/** Nothing is kept of an edge node that is too large, until its next NBIRTH. */
function refuseNode(node: HostNode, at: Instant): HostNodeStep {
  const { devicesMax, metricsMax } = node.options;
  const message =
    `${node.address.group}/${node.address.node} has more than ${devicesMax} devices or ` +
    `${metricsMax} metrics; split it, or raise the limits`;
  const effects = [...lostEffects(node, at)];
  effects.push({ kind: 'refused', failure: { code: 'node-too-large', message } });
  return { node: { ...unlearned(node), phase: 'refused' }, effects };
}

function gapFailure({ address, seq }: HostNode): HostFailure {
  const message = `message ${seq} of ${address.group}/${address.node} did not come in time`;
  return { code: 'sequence-gap', message };
}

function refused(node: HostNode, failure: HostFailure): HostNodeStep {
  return { node, effects: [{ kind: 'refused', failure }] };
}

function unchanged(node: HostNode): HostNodeStep {
  return { node, effects: [] };
}
