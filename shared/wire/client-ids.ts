import { nameSchema } from './names.ts';

/**
 * What a client is at the broker. `device`: the agent's own channels. `sparkplug`: the same agent
 * as an edge node of Sparkplug. `host`: the edge node as Sparkplug's host application. `observer`:
 * somebody who only reads Sparkplug's messages. `operator`: one who also writes to outputs over it.
 */
export type ClientRole = 'device' | 'sparkplug' | 'host' | 'observer' | 'operator';

const suffixed: readonly ClientRole[] = ['sparkplug', 'host', 'observer', 'operator'];

/** `NAME` for a device, else `NAME.ROLE`: a name has no dot, so that no id stands for two. */
export function clientIdOf(name: string, role: ClientRole): string {
  return role === 'device' ? name : `${name}.${role}`;
}

/** Whose id it is; `undefined` where it is none of {@link clientIdOf}'s. */
export function readClientId(
  clientId: string,
): { readonly name: string; readonly role: ClientRole } | undefined {
  const role = suffixed.find((each) => clientId.endsWith(`.${each}`)) ?? 'device';
  const name = role === 'device' ? clientId : clientId.slice(0, -role.length - 1);
  return nameSchema.safeParse(name).success ? { name, role } : undefined;
}
