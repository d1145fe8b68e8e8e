import { z } from 'zod';
import { configurationError } from '#runtime/process/program-error.ts';
import { propertySchema } from '#shared/wire/names.ts';
import { createGpioSensor, type GpioModule } from './gpio.ts';
import { createHostSensor } from './host.ts';
import { findHwmonSensors } from './hwmon.ts';
import { findIioSensors } from './iio.ts';
import { findOneWireSensors } from './one-wire.ts';
import { createReplaySensor } from './replay.ts';
import type { Sensor } from './sensor.ts';
import { createSimulatedSensor } from './simulated.ts';
import { findThermalSensors } from './thermal.ts';

const DAY_MS = 86_400_000;
const periodSchema = z.number().positive().max(DAY_MS);
/** Below this, a live sensor keeps the processor busy with nothing else. */
const livePeriodSchema = periodSchema.min(10).default(1000);
const rootSchema = z.string().min(1).default('/sys');
const namesSchema = z.array(z.string().min(1)).min(1).optional();

const replaySchema = z.strictObject({
  kind: z.literal('replay'),
  file: z.string().min(1),
  filter: z
    .strictObject({
      column: z.string(),
      value: z.union([z.string(), z.number()]).transform(String),
    })
    .optional(),
  columns: z
    .array(
      z.strictObject({ column: z.string(), property: propertySchema, unit: z.string().min(1) }),
    )
    .min(1),
  periodMs: periodSchema,
  /** Wall time of the first reading; where not given, when the device's outbox was made. */
  startMs: z.int().nonnegative().optional(),
});

const hostSchema = z.strictObject({
  kind: z.literal('host'),
  periodMs: livePeriodSchema,
  procRoot: z.string().min(1).default('/proc'),
});

const hwmonSchema = z.strictObject({
  kind: z.literal('hwmon'),
  periodMs: livePeriodSchema,
  root: rootSchema,
  chips: namesSchema,
});

const thermalSchema = z.strictObject({
  kind: z.literal('thermal'),
  periodMs: livePeriodSchema,
  root: rootSchema,
  zones: namesSchema,
});

const iioSchema = z.strictObject({
  kind: z.literal('iio'),
  periodMs: livePeriodSchema,
  root: rootSchema,
  devices: namesSchema,
});

const oneWireSchema = z.strictObject({
  kind: z.literal('one-wire'),
  /** Each thermometer takes about 750 ms. */
  periodMs: periodSchema.min(1000).default(10_000),
  root: rootSchema,
  devices: namesSchema,
});

const gpioSchema = z.strictObject({
  kind: z.literal('gpio'),
  periodMs: livePeriodSchema,
  root: rootSchema,
  line: z.int().nonnegative(),
  chip: z.string().min(1).optional(),
  property: propertySchema,
  activeLow: z.boolean().default(false),
  edges: z.enum(['none', 'rising', 'falling', 'both']).default('none'),
  debounceMs: z.int().nonnegative().max(60_000).default(0),
});

const simulatedSchema = z.strictObject({
  kind: z.literal('simulated'),
  periodMs: livePeriodSchema,
  property: propertySchema,
});

/** One `[[sensors]]` table of a device's configuration. */
export const sensorSchema = z.discriminatedUnion('kind', [
  replaySchema,
  hostSchema,
  hwmonSchema,
  thermalSchema,
  iioSchema,
  oneWireSchema,
  gpioSchema,
  simulatedSchema,
]);

export type SensorConfig = z.infer<typeof sensorSchema>;

export interface SensorContext {
  /** When the device's outbox was made: a recording without a start of its own begins there. */
  readonly startedMs: number;
  /** Samples of a property the outbox ever took: a recording goes on behind them. */
  producedOf(property: string): number;
  /** Loads `onoff` where not given. */
  readonly loadGpioModule?: () => Promise<GpioModule>;
}

/**
 * The sensors of one device. Kinds that search the machine for hardware may find none; what is
 * asked for by name must be there.
 *
 * Errors (exit 78): those of each kind, `duplicate-property`. What was opened is closed again.
 */
export async function createSensors(
  configs: readonly SensorConfig[],
  context: SensorContext,
): Promise<Sensor[]> {
  const sensors: Sensor[] = [];
  try {
    for (const config of configs) sensors.push(...(await createKind(config, context)));
    requireDistinctProperties(sensors);
  } catch (error) {
    for (const sensor of sensors) if (sensor.kind === 'live') sensor.close?.();
    throw error;
  }
  return sensors;
}

async function createKind(config: SensorConfig, context: SensorContext): Promise<Sensor[]> {
  switch (config.kind) {
    case 'replay': {
      const { startMs = context.startedMs } = config;
      const from = context.producedOf(config.columns[0]!.property);
      return [createReplaySensor({ ...config, startMs, from })];
    }
    case 'simulated':
      return [createSimulatedSensor({ ...config, from: context.producedOf(config.property) })];
    case 'host':
      return [createHostSensor(config)];
    case 'hwmon':
      return findHwmonSensors(config);
    case 'thermal':
      return findThermalSensors(config);
    case 'iio':
      return findIioSensors(config);
    case 'one-wire':
      return findOneWireSensors(config);
    case 'gpio':
      return [await createGpioSensor({ ...config, loadModule: context.loadGpioModule })];
  }
}

function requireDistinctProperties(sensors: readonly Sensor[]): void {
  const givenBy = new Map<string, string>();
  for (const { name, properties } of sensors) {
    for (const { property } of properties) {
      const other = givenBy.get(property);
      if (other !== undefined) {
        throw configurationError(
          'duplicate-property',
          `sensors: ${other} and ${name} both give ${property}; change or remove one of them`,
        );
      }
      givenBy.set(property, name);
    }
  }
}
