import pino from 'pino';

export type Log = pino.Logger;

/** JSON lines on standard output; facts are fields: `log.info({ round }, 'round committed')`. */
export function createLog(name: string, level: string): Log {
  return pino({ name, level, base: { name } }, pino.destination({ fd: 1, sync: true }));
}

/** For tests and for code run where nobody listens. */
export const silentLog: Log = pino({ level: 'silent' });
