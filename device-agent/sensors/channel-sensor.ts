import { gap, type LiveSensor, observe, type PropertyDescriptor } from './sensor.ts';

/** One property behind one fast attribute. */
export interface Channel {
  readonly descriptor: PropertyDescriptor;
  /** The value in the descriptor's unit; throws where it cannot be read. */
  read(): number;
}

/** A kind of measurement, in the kernel's unit and in ours. */
export interface Quantity {
  readonly noun: string;
  /** UCUM code. */
  readonly unit: string;
  /** The kernel's units in one of ours: 1000 where it counts millivolts and we volts. */
  readonly divisor: number;
  readonly range?: readonly [number, number];
}

/** From millidegrees; beyond its range lies no part of a board that still works. */
export const temperature: Quantity = {
  noun: 'temperature',
  unit: 'Cel',
  divisor: 1000,
  range: [-100, 250],
};

/** A channel of that quantity over `read`, which gives it in the kernel's unit. */
export function quantityChannel(
  property: string,
  { unit, divisor, range }: Quantity,
  read: () => number,
): Channel {
  const descriptor = range === undefined ? { property, unit } : { property, unit, range };
  return { descriptor, read: () => read() / divisor };
}

/** A sensor of several channels; those that cannot be read are gaps and leave the others be. */
export function channelSensor(
  name: string,
  periodMs: number,
  channels: readonly Channel[],
): LiveSensor {
  return {
    kind: 'live',
    name,
    periodMs,
    properties: channels.map(({ descriptor }) => descriptor),
    async read() {
      return channels.map((channel) => {
        try {
          return observe(channel.descriptor, channel.read());
        } catch (error) {
          return gap(channel.descriptor, error);
        }
      });
    },
  };
}
