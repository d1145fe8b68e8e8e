import { z } from 'zod';
import { nameSchema } from '#shared/wire/names.ts';
import { sensorSchema } from './sensors/sensor-config.ts';

/** The configuration of one device agent. */
export const agentConfigSchema = z.strictObject({
  /** Names the device, its topics and its twin; unique in the group. */
  id: nameSchema,
  group: nameSchema,
  /** Folder for everything the agent keeps. */
  data: z.string().min(1),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
  mqtt: z.strictObject({
    url: z.url({ protocol: /^mqtt$/, error: 'expected mqtt://host:port' }),
    keepaliveSeconds: z.int().min(1).max(300).default(10),
  }),
  outbox: z
    .strictObject({
      /** Beyond so many unacknowledged samples the oldest are dropped, and counted. */
      unacknowledgedMax: z.int().min(1000).default(2_000_000),
      /** Acknowledged samples kept to learn from. */
      acknowledgedKept: z.int().min(0).default(20_000),
    })
    .prefault({}),
  sensors: z.array(sensorSchema).min(1),
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;
