import type { JsonValue } from '#shared/twin/document/json.ts';

/** What an actuator made of a value: it has it now, or will not. */
export type Actuation =
  | { readonly kind: 'done' }
  /** By HTTP's codes, with the reason. */
  | { readonly kind: 'refused'; readonly code: number; readonly reason: string };

/** Something of the device that can be set; the port behind which outputs are. */
export interface Actuator extends Disposable {
  /** `feature/property`. */
  readonly property: string;
  /** Sets it; the same value again does no harm. Rejects where it should have worked. */
  set(value: JsonValue): Promise<Actuation>;
}

/** A level out of a desired value: `true`, `false`, 1 or 0. */
export function toLevel(value: JsonValue): 0 | 1 | undefined {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : undefined;
}

export const notALevel: Actuation = {
  kind: 'refused',
  code: 400,
  reason: 'it is an output that is on or off; give true or false',
};
