/** What an operation that is expected to fail at times returns; `error` is a plain object. */
export type Result<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** A failure a person or a peer can read: a stable code, and one sentence with the mend in it. */
export type Failure<Code extends string = string> = {
  readonly code: Code;
  readonly message: string;
};

export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

export function err<E>(error: E): Result<never, E> {
  return { ok: false, error };
}

/** Shorthand for the commonest error: `fail('stale-round', 'round 3 is over; …')`. */
export function fail<Code extends string>(
  code: Code,
  message: string,
): Result<never, Failure<Code>> {
  return err({ code, message });
}
