import { z } from 'zod';

/** A device's or group's name: a topic level, a client id and part of a thing's id. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'use 1 to 64 of a-z, 0-9 and -');

/** `feature/property`. */
export const propertySchema = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9-]*\/[a-z0-9][a-z0-9-]*$/, 'use feature/property of a-z, 0-9 and -');

/** `feature/property`, either of them `*` for any: what a rule is for. */
export const propertyPatternSchema = z
  .string()
  .max(128)
  .regex(
    /^(?:\*|[a-z0-9][a-z0-9-]*)\/(?:\*|[a-z0-9][a-z0-9-]*)$/,
    'use feature/property of a-z, 0-9 and -, or * for either: environment/*',
  );

/** Whether a property is one of those that a pattern names. */
export function isOfPattern(property: string, pattern: string): boolean {
  const wanted = pattern.split('/');
  return property
    .split('/')
    .every((part, index) => wanted[index] === '*' || wanted[index] === part);
}

/** The identity of one outbox: 16 random hex digits. */
export const epochSchema = z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 hex digits');
