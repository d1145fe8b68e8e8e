import { isTopicFilter } from '#runtime/mqtt/topic.ts';
import { fail, ok, type Result } from '#shared/basics/result.ts';
import { everyTopicOf, formatTopic, parseTopic } from '#shared/sparkplug/topic.ts';
import { readClientId } from '#shared/wire/client-ids.ts';
import { epochSchema } from '#shared/wire/names.ts';
import {
  type AccessRules,
  type ConnectRequest,
  checkSession,
  deviceAccessRules,
  type PublishRequest,
  printable,
} from './access-rules.ts';
import type { Refusal } from './refusal.ts';

export interface SparkplugAccess {
  /** The edge node's host application; `token` is its user name, which nobody else knows. */
  readonly host?: { readonly id: string; readonly token: string } | undefined;
  /** Whether anybody on this machine may read what is said in Sparkplug. */
  readonly observers: boolean;
  /** Whether anybody on this machine may send commands in Sparkplug, and read it. */
  readonly operators: boolean;
}

export interface AccessOptions {
  readonly group: string;
  /** Suspended or revoked on the ledger. */
  readonly isBarred: (device: string) => boolean;
  readonly sparkplug: SparkplugAccess;
}

/**
 * The rules of the group's broker, by the role that a client's id states: those of a device, and
 * beside them four roles of Sparkplug. `NAME.sparkplug` publishes births, data and deaths as the
 * edge node NAME and no other, its will among them, and hears its own commands and what hosts say
 * of themselves. `NAME.host` is the edge node's own host application: it says its STATE, sends
 * commands to the group, and hears all of it. `NAME.observer` reads, and says nothing;
 * `NAME.operator` reads, sends commands to the group, and is host application NAME if it says so.
 */
export function groupAccessRules(options: AccessOptions): AccessRules {
  const { group, isBarred } = options;
  const byRole: Readonly<Record<string, AccessRules>> = {
    sparkplug: edgeRules(options),
    host: hostRules(options),
    observer: observerRules(options),
    operator: operatorRules(options),
  };
  const device = deviceAccessRules(group, isBarred);
  const rulesOf = (clientId: string) => byRole[readClientId(clientId)?.role ?? ''] ?? device;
  return {
    connect: (request) => rulesOf(request.clientId).connect(request),
    publish: (clientId, request) => rulesOf(clientId).publish(clientId, request),
    subscribe: (clientId, filter) => rulesOf(clientId).subscribe(clientId, filter),
  };
}

function edgeRules({ group, isBarred }: AccessOptions): AccessRules {
  const rules: AccessRules = {
    connect(request) {
      const node = nameOf(request.clientId);
      if (isBarred(node)) {
        return fail('device-barred', `${node} is suspended or revoked; enrol it again`);
      }
      if (!epochSchema.safeParse(request.username).success) {
        return fail('epoch-invalid', "the user name is not the epoch of the device's outbox");
      }
      return checkSessionAndWill(rules, request);
    },

    publish(clientId, { topic, qos, retain }) {
      const parsed = parseTopic(topic);
      const told = parsed.ok ? parsed.value : undefined;
      const isOwn =
        told !== undefined &&
        told.kind !== 'STATE' &&
        told.kind !== 'NCMD' &&
        told.kind !== 'DCMD' &&
        told.group === group &&
        told.node === nameOf(clientId);
      return isOwn ? checkPlain({ topic, qos, retain }) : publishForbidden(clientId, topic);
    },

    subscribe(clientId, filter) {
      const parsed = parseTopic(filter);
      const heard = parsed.ok ? parsed.value : undefined;
      const isOwn =
        (heard?.kind === 'NCMD' || heard?.kind === 'DCMD') &&
        heard.group === group &&
        heard.node === nameOf(clientId);
      const isHeard = isOwn || heard?.kind === 'STATE';
      return isHeard ? ok(undefined) : subscriptionForbidden(clientId, filter);
    },
  };
  return rules;
}

function hostRules({ group, sparkplug: { host } }: AccessOptions): AccessRules {
  const state = host === undefined ? undefined : formatTopic({ kind: 'STATE', host: host.id });
  const rules: AccessRules = {
    connect(request) {
      if (host === undefined || nameOf(request.clientId) !== host.id) {
        return fail('client-id-invalid', `${request.clientId} is no host application here`);
      }
      if (request.username !== host.token) {
        return fail('host-foreign', `${host.id} is this edge node's own; name the host otherwise`);
      }
      return checkSessionAndWill(rules, request);
    },

    publish(clientId, { topic, qos, retain }) {
      if (topic === state) return checkPlain({ topic, qos, retain: false });
      return isCommand(topic, group)
        ? checkPlain({ topic, qos, retain })
        : publishForbidden(clientId, topic);
    },

    subscribe(clientId, filter) {
      const isHeard = filter === state || filter === everyTopicOf(group);
      return isHeard ? ok(undefined) : subscriptionForbidden(clientId, filter);
    },
  };
  return rules;
}

function observerRules({ sparkplug: { observers } }: AccessOptions): AccessRules {
  return {
    connect(request) {
      if (!observers) {
        return fail('observers-off', 'nobody may listen here; set sparkplug.observers = true');
      }
      if (request.will !== undefined) return publishForbidden(request.clientId, request.will.topic);
      return checkSession(request);
    },
    publish: (clientId, { topic }) => publishForbidden(clientId, topic),
    subscribe(clientId, filter) {
      const isHeard = filter.startsWith('spBv1.0/') && isTopicFilter(filter);
      return isHeard ? ok(undefined) : subscriptionForbidden(clientId, filter);
    },
  };
}

/** As an observer, and with a voice; where a name is the edge node's own host, it stays that. */
function operatorRules(options: AccessOptions): AccessRules {
  const { group, sparkplug } = options;
  const { subscribe } = observerRules(options);
  const rules: AccessRules = {
    connect(request) {
      if (!sparkplug.operators) {
        return fail('operators-off', 'nobody may command here; set sparkplug.operators = true');
      }
      return checkSessionAndWill(rules, request);
    },
    publish(clientId, { topic, qos, retain }) {
      const name = nameOf(clientId);
      const isOwn =
        name !== sparkplug.host?.id && topic === formatTopic({ kind: 'STATE', host: name });
      if (isOwn) return checkPlain({ topic, qos, retain: false });
      if (!isCommand(topic, group)) return publishForbidden(clientId, topic);
      return checkPlain({ topic, qos, retain });
    },
    subscribe,
  };
  return rules;
}

function isCommand(topic: string, group: string): boolean {
  const parsed = parseTopic(topic);
  const told = parsed.ok ? parsed.value : undefined;
  return (told?.kind === 'NCMD' || told?.kind === 'DCMD') && told.group === group;
}

function nameOf(clientId: string): string {
  return readClientId(clientId)?.name ?? '';
}

function checkSessionAndWill(rules: AccessRules, request: ConnectRequest): Result<void, Refusal> {
  const { clientId, will } = request;
  const session = checkSession(request);
  return !session.ok || will === undefined ? session : rules.publish(clientId, will);
}

function checkPlain(request: Omit<PublishRequest, 'sizeBytes'>): Result<void, Refusal> {
  const { topic, qos, retain } = request;
  if (qos > 1) return fail('qos-unsupported', `${topic}: publish with QoS 0 or 1`);
  return retain ? fail('retain-forbidden', `${topic} may not be retained`) : ok(undefined);
}

function publishForbidden(clientId: string, topic: string): Result<void, Refusal> {
  return fail('publish-forbidden', `${clientId} may not publish to ${printable(topic)}`);
}

function subscriptionForbidden(clientId: string, filter: string): Result<void, Refusal> {
  return fail('subscription-forbidden', `${clientId} may not read ${printable(filter)}`);
}
