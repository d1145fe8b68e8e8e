import { z } from 'zod';
import { isSparkplugId } from '#shared/sparkplug/topic.ts';
import { nameSchema, propertySchema } from '#shared/wire/names.ts';
import { actuatorsSchema } from './control/actuator-config.ts';
import { quotaRuleSchema } from './outbox/quota.ts';
import { reportingSchema } from './reporting/reporting-config.ts';
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
  /** The newest state for SCADA tools and the host application, and writes to the outputs. */
  sparkplug: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** The broker for it; where left out, the one above. */
      url: z.url({ protocol: /^mqtt$/, error: 'expected mqtt://host:port' }).optional(),
      /** The host application that has to be online before anything is shown. */
      primaryHost: z
        .string()
        .refine(isSparkplugId, 'expected 1 to 256 characters, none of + # /')
        .optional(),
      /** Of what was measured while nothing could be shown, so many readings a second follow. */
      historyPerSecond: z.int().min(10).max(10_000).default(1000),
    })
    .prefault({}),
  outbox: z
    .strictObject({
      /** Beyond so many unacknowledged samples some are dropped by the rules, and counted. */
      unacknowledgedMax: z.int().min(1000).default(2_000_000),
      /** So much the file takes on disk, give or take a sixteenth; beyond, as above. */
      sizeBytesMax: z
        .int()
        .min(16 * 2 ** 20)
        .default(512 * 2 ** 20),
      /** The first that matches a property holds; where none does, its oldest samples go. */
      rules: z.array(quotaRuleSchema).max(100).default([]),
      /** Acknowledged samples kept to learn from. */
      acknowledgedKept: z.int().min(0).default(20_000),
      /** Of what it held when a connection began, so many samples go to the edge node a second. */
      historyPerSecond: z.int().min(100).default(20_000),
    })
    .prefault({}),
  training: z
    .strictObject({
      /** The share of the time to calculate in. */
      cpuShare: z.number().gt(0).max(1).default(1),
      /** Training pauses above this, until it is 5 degrees cooler. */
      temperature: z
        .strictObject({
          /** One of the sensors' own, in Cel. */
          property: propertySchema,
          celsiusMax: z.number(),
        })
        .optional(),
    })
    .prefault({}),
  sensors: z.array(sensorSchema).min(1),
  reporting: reportingSchema,
  actuators: actuatorsSchema,
});
export type AgentConfig = z.infer<typeof agentConfigSchema>;
