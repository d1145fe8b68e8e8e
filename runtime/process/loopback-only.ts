import { isIPv4 } from 'node:net';
import { configurationError } from './program-error.ts';

/**
 * Refuses to listen where other machines could connect, as long as a listener has neither TLS nor
 * authentication. `key` is the configuration's. Error (exit 78): `insecure-listener`.
 */
export function requireLoopback(host: string, key: string): void {
  if (isLoopback(host)) return;
  throw configurationError(
    'insecure-listener',
    `${key}: ${host} is open to other machines, and there is neither TLS nor authentication yet; ` +
      'set it to 127.0.0.1',
  );
}

/** Whether only this machine can connect to what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
