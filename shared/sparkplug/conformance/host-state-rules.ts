import type { Message } from './message.ts';
import type { Heard, Replay } from './replay.ts';
import {
  CLOCKS_APART_MAX_MS,
  commands,
  type Evidence,
  each,
  eachWill,
  firstFault,
  of,
  type Rule,
  type Verdict,
} from './rule.ts';

/** What a host says of itself: specification, 1.4.1.6, 3.6, 4.2.3, 5.3, 5.13 and 6.4.27. */
export const hostStateRules: readonly Rule[] = [
  {
    applies: 'host',
    says: 'Host applications publish STATE: no command comes while none is online',
    ids: [
      '1.4.1.6 intro-sparkplug-host-state',
      '3.6 components-ph-state',
      '10.1.2 conformance-primary-host',
    ],
    needs: 'messages',
    check: commandsComeFromHosts,
  },
  {
    applies: 'host',
    says: 'A STATE is JSON, with online true and timestamp an integer of milliseconds',
    ids: ['4.2.3.1.2 host-topic-phid-birth-payload'],
    needs: 'messages',
    check: each(isBirthOrBroken, (message) => isCertificate(message, true)),
  },
  {
    applies: 'host',
    says: 'The time stamp of the STATE after connecting is that of the will',
    ids: [
      '4.2.3.1.2 host-topic-phid-birth-payload-timestamp',
      '5.3 message-flow-phid-sparkplug-state-publish-payload-timestamp',
    ],
    needs: 'connections',
    check: each(isBirth, repeatsWill),
  },
  {
    applies: 'host',
    says: 'The STATE after connecting is JSON, with online true and the time stamp of the will',
    ids: [
      '5.3 message-flow-phid-sparkplug-state-publish-payload',
      '5.13 operational-behavior-host-application-connect-birth-payload',
      '6.4.27 payloads-state-birth-payload',
    ],
    needs: 'connections',
    check: each(isBirthOrBroken, (message) => {
      if (message.connection === undefined) return undefined;
      const verdict = isCertificate(message, true);
      return verdict === true ? repeatsWill(message) : verdict;
    }),
  },
  {
    applies: 'host',
    says: 'The last STATE is JSON, with online false and timestamp an integer of milliseconds',
    ids: ['4.2.3.2.2 host-topic-phid-death-payload'],
    needs: 'messages',
    check: each(isDeathOrBroken, (message) => isCertificate(message, false)),
  },
  {
    applies: 'host',
    says: 'The will is JSON, with online false and timestamp an integer of milliseconds',
    ids: [
      '5.14 operational-behavior-host-application-death-payload',
      '6.4.27 payloads-state-will-message-payload',
    ],
    needs: 'connections',
    check: eachWill(of('STATE'), (will) => isCertificate(will, false)),
  },
  {
    applies: 'host',
    says: 'The will is JSON, with online false and a time stamp not before that of the last will',
    ids: ['5.13 operational-behavior-host-application-connect-will-payload'],
    needs: 'connections',
    check: willsGoOn,
  },
  {
    applies: 'host',
    says: `The time stamp of the will is that of CONNECT, within ${CLOCKS_APART_MAX_MS} ms`,
    ids: ['4.2.3.2.2 host-topic-phid-death-payload-connect'],
    needs: 'connections',
    check: eachWill(of('STATE'), isOfNow),
  },
];

/** Whether the message is a STATE that says online. */
export function isBirth({ verb, state }: Message): boolean {
  return verb === 'STATE' && state?.online === true;
}

/** Whether the message is a STATE that says offline. */
export function isDeath({ verb, state }: Message): boolean {
  return verb === 'STATE' && state?.online === false;
}

/** Whether the certificate says when it was sent. */
export function isOfNow({ state, event }: Message): Verdict {
  const { timestamp } = state ?? {};
  if (timestamp === undefined) return 'it has no time stamp';
  const apart = Math.abs(timestamp - event.at);
  return apart <= CLOCKS_APART_MAX_MS || `its time stamp is ${Math.round(apart / 1000)} s off`;
}

/** Whether the STATE has the time stamp of the will of its connection. */
function repeatsWill({ connection, state }: Heard): Verdict {
  const willed = connection?.will?.state?.timestamp;
  if (willed === undefined) return undefined;
  return (
    state?.timestamp === willed || `its time stamp is ${state?.timestamp}, the will's ${willed}`
  );
}

/** What says neither could be either. */
function isBirthOrBroken(message: Message): boolean {
  return message.verb === 'STATE' && !isDeath(message);
}

function isDeathOrBroken(message: Message): boolean {
  return message.verb === 'STATE' && !isBirth(message);
}

function isCertificate({ state }: Message, online: boolean): Verdict {
  if (state?.online !== online) return `online is ${state?.online ?? 'missing'}, not ${online}`;
  const { timestamp } = state;
  if (timestamp === undefined) return 'timestamp is missing, or no number';
  return (Number.isSafeInteger(timestamp) && timestamp >= 0) || `timestamp is ${timestamp}`;
}

/** Of what a host application does at all: a STATE, or a command while some host is online. */
export function* commandsComeFromHosts({ messages }: Replay): Generator<Evidence> {
  const online = new Set<string>();
  for (const message of messages) {
    const { event, host = '' } = message;
    if (isBirth(message)) online.add(host);
    if (isDeath(message)) online.delete(host);
    if (message.verb === 'STATE') yield { event, fault: undefined };
    if (commands(message)) {
      const fault = 'a command came, and no host application has said that it is online';
      yield { event, fault: online.size > 0 ? undefined : fault };
    }
  }
}

function* willsGoOn({ wills }: Replay): Generator<Evidence> {
  const newest = new Map<string, number>();
  for (const will of wills) {
    const { host, state, event } = will;
    if (host === undefined) continue;
    const before = newest.get(host) ?? 0;
    const { timestamp = before } = state ?? {};
    newest.set(host, timestamp);
    const goesOn = timestamp >= before || `its time stamp is ${timestamp}, after ${before}`;
    const verdict = firstFault([isCertificate(will, false), goesOn], (one) => one);
    yield { event, fault: typeof verdict === 'string' ? verdict : undefined };
  }
}
