import { PREFIX } from './topics.ts';

/** Where a device is given a command: `diten/v1/{group}/{device}/command/{id}`. */
export function commandTopic(group: string, device: string, id: string): string {
  return `${PREFIX}/${group}/${device}/command/${id}`;
}

/** Where it replies. */
export function commandReplyTopic(group: string, device: string, id: string): string {
  return `${commandTopic(group, device, id)}/reply`;
}

/** The filter that matches every command of one device. */
export function commandsOf(group: string, device: string): string {
  return commandTopic(group, device, '+');
}

/** The filter that matches every reply of a group's devices. */
export function everyCommandReply(group: string): string {
  return commandReplyTopic(group, '+', '+');
}

/** Device and command that a command's topic, or its reply's, is of; `undefined` for any other. */
export function commandOfTopic(topic: string): { device: string; id: string } | undefined {
  if (!topic.startsWith(`${PREFIX}/`)) return undefined;
  const [, , , device = '', channel, id = '', reply, ...rest] = topic.split('/');
  const isReply = reply === 'reply' && rest.length === 0;
  if (channel !== 'command' || id === '' || (reply !== undefined && !isReply)) return undefined;
  return { device, id };
}
