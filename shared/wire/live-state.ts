import { digestOfPlain } from '../identity/digest.ts';
import type { Property, PropertySet } from '../sparkplug/metric.ts';

/**
 * What the agent adds to Sparkplug so that its edge node can tell a value it hears there from one
 * of the durable stream: both are the same sample, of one outbox and one sequence.
 */

/** The metric of an edge node's birth that says which outbox its values are numbered by. */
export const OUTBOX_METRIC = 'Outbox/Id';
/** The metric that counts readings of outages the outbox no longer had when they could be shown. */
export const NOT_SHOWN_METRIC = 'Outbox/Not Shown';

const SEQUENCE = 'sequence';
const OUTBOX_ID_LENGTH = 16;

/**
 * Names an outbox to whoever listens. It is not the epoch itself: with that a client proves to the
 * broker that it is the device.
 */
export function outboxIdOf(epoch: string): string {
  return digestOfPlain({ outbox: epoch }).slice(0, OUTBOX_ID_LENGTH);
}

/** The property of a value by which it is that sample of the outbox. */
export function sequenceProperty(sequence: number): Property {
  const value = { kind: 'long', value: BigInt(sequence) } as const;
  return { key: SEQUENCE, datatype: 'Int64', value };
}

/** The sequence among a value's properties; `undefined` where it states none that can be. */
export function sequenceOf(properties: PropertySet = []): number | undefined {
  const stated = properties.find(({ key }) => key === SEQUENCE)?.value;
  if (stated?.kind !== 'long') return undefined;
  const sequence = Number(stated.value);
  return sequence >= 1 && Number.isSafeInteger(sequence) ? sequence : undefined;
}
