import { z } from 'zod';
import type { Log } from '#runtime/observe/log.ts';
import { propertySchema } from '#shared/wire/names.ts';
import type { Actuator } from './actuator.ts';
import { createGpioOutput } from './gpio-output.ts';
import { createSimulatedOutput } from './simulated-output.ts';

const actuatorSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('simulated'), property: propertySchema }),
  z.strictObject({
    kind: z.literal('gpio'),
    property: propertySchema,
    /** The line's number on its chip: BCM 17 is 17. */
    line: z.int().min(0),
    chip: z.string().optional(),
    activeLow: z.boolean().default(false),
    root: z.string().default('/sys'),
  }),
]);

/** The device's outputs, each a property of its twin that can be desired. */
export const actuatorsSchema = z
  .array(actuatorSchema)
  .max(100)
  .default([])
  .refine(
    (actuators) => new Set(actuators.map(({ property }) => property)).size === actuators.length,
    {
      message: 'two actuators have one property; give each its own',
    },
  );

/** Opens the outputs; errors as {@link createGpioOutput}'s. */
export async function createActuators(
  configs: z.infer<typeof actuatorsSchema>,
  log: Log,
): Promise<{ actuators: readonly Actuator[] } & Disposable> {
  using opened = new DisposableStack();
  const actuators: Actuator[] = [];
  for (const config of configs) {
    const actuator =
      config.kind === 'gpio'
        ? await createGpioOutput(config)
        : createSimulatedOutput(config.property, log);
    actuators.push(opened.use(actuator));
  }
  const kept = opened.move();
  return { actuators, [Symbol.dispose]: () => kept.dispose() };
}
