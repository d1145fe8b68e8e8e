/** The conversations between a device and its edge node: `diten/v1/{group}/{device}/{channel}`. */
export const channels = [
  'data',
  'presence',
  'committed',
  'task',
  'model',
  'round',
  'update',
  'desired',
  'ack',
  'reporting',
] as const;
export type Channel = (typeof channels)[number];

export const PREFIX = 'diten/v1';

/** The topic of one channel of one device. */
export function topicOf(group: string, device: string, channel: Channel): string {
  return `${PREFIX}/${group}/${device}/${channel}`;
}

/** The filter that matches one channel of all devices of a group. */
export function everyDevice(group: string, channel: Channel): string {
  return `${PREFIX}/${group}/+/${channel}`;
}

/** The device a topic belongs to; `undefined` where it is none of {@link topicOf}'s. */
export function deviceOfTopic(topic: string): string | undefined {
  const levels = topic.split('/');
  return levels.length === 5 && topic.startsWith(`${PREFIX}/`) ? levels[3] : undefined;
}
