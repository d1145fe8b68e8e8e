import { z } from 'zod';
import { feedbackRulesSchema } from '#shared/feedback/feedback-rule.ts';
import { nameSchema, propertySchema } from '#shared/wire/names.ts';
import { retentionSchema } from './twins/retention/retention-config.ts';

const listenerSchema = (port: number) =>
  z
    .strictObject({
      /** MQTT on loopback only; HTTP elsewhere once there are tokens. */
      host: z.string().default('127.0.0.1'),
      /** 0 takes any free one. */
      port: z.int().min(0).max(65535).default(port),
    })
    .prefault({});

const learningSchema = z.strictObject({
  /** What is forecast from its own past, and how much it changes normally between readings. */
  features: z
    .array(z.strictObject({ property: propertySchema, scale: z.number().positive() }))
    .min(1)
    .max(16),
  window: z.int().min(2).max(1024).default(12),
  hidden: z.int().min(1).max(4096).default(16),
  /** Of the newest readings, how many each device learns from in a round. */
  readings: z.int().min(16).max(1_000_000).default(1000),
  optimiser: z.enum(['sgd', 'adam']).default('adam'),
  learningRate: z.number().positive().max(10).default(0.003),
  batchSize: z.int().min(1).max(4096).default(32),
  localEpochs: z.int().min(1).max(1000).default(3),
  seed: z.int().min(0).default(1),
  quorum: z.int().min(1).default(2),
  deadlineMs: z.int().min(100).default(30_000),
  intervalMs: z.int().min(0).default(60_000),
});
export type LearningConfig = z.infer<typeof learningSchema>;

const ledgerSchema = z
  .strictObject({
    /** TOML file of the chain (`diten ledger init`); where left out, a chain of this node's own. */
    genesis: z.string().min(1).optional(),
    /**
     * Where other edge nodes connect, as multiaddrs: only members of the chain get further than a
     * handshake.
     */
    listen: z
      .array(
        z
          .string()
          .max(200)
          .regex(/^\/(?:ip4|ip6|dns4|dns6)\/[^/]+\/tcp\/\d+$/, 'expected /ip4/ADDRESS/tcp/PORT'),
      )
      .max(8)
      .default([]),
    /** Time after which a block is made though there is nothing to say. */
    heartbeatMs: z.int().min(1000).max(86_400_000).default(60_000),
    /** Weights and other content behind the ledger's digests, all together. */
    payloadsSizeBytesMax: z
      .int()
      .min(2 ** 20)
      .default(4 * 2 ** 30),
  })
  .prefault({});

/** The configuration of one edge node. */
export const edgeConfigSchema = z.strictObject({
  id: nameSchema,
  group: nameSchema,
  /** Folder for everything the node keeps. */
  data: z.string().min(1),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .prefault({}),
  mqtt: listenerSchema(1883)
    .unwrap()
    .extend({
      payloadSizeBytesMax: z
        .int()
        .min(1024)
        .max(2 ** 28)
        .default(4 * 2 ** 20),
      clientsMax: z.int().min(1).default(1000),
    })
    .prefault({}),
  http: listenerSchema(8080),
  /** Who may use the HTTP API. */
  api: z
    .strictObject({
      /** Whether it asks nobody for a token, as long as it listens on loopback. */
      open: z.boolean().default(true),
      /** File of tokens (`diten token new`); where left out, api-tokens.json among its data. */
      tokens: z.string().min(1).optional(),
    })
    .prefault({}),
  /** The host application. */
  sparkplug: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Its id, its own among all host applications; the node's where left out. */
      host: nameSchema.optional(),
      /** The broker it watches; the node's own where left out. */
      url: z.url({ protocol: /^mqtt$/, error: 'expected mqtt://host:port' }).optional(),
      /** Lets anybody on this machine read Sparkplug's messages: SCADA tools, `diten doctor`. */
      observers: z.boolean().default(true),
      /** Lets anybody on this machine write to outputs over Sparkplug, as they may over HTTP. */
      operators: z.boolean().default(true),
      nodesMax: z.int().min(1).max(10_000).default(1000),
    })
    .prefault({}),
  twins: z
    .strictObject({
      max: z.int().min(1).default(10_000),
      /** Of all things together, as JSON; in memory they take some three times that. */
      sizeBytesMax: z
        .int()
        .min(2 ** 20)
        .default(128 * 2 ** 20),
    })
    .prefault({}),
  retention: retentionSchema,
  ledger: ledgerSchema,
  /** The learning task; none where left out. */
  learning: learningSchema.optional(),
  /** On a condition of a twin, what is desired of it or of another. */
  feedback: feedbackRulesSchema.default([]),
});
export type EdgeConfig = z.infer<typeof edgeConfigSchema>;
