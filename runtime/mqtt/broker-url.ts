import { configurationError } from '#runtime/process/program-error.ts';

/**
 * Host and port of `mqtt://host:port`; the port is 1883 where there is none.
 *
 * Errors (exit 78): `broker-url-invalid`.
 */
export function parseBrokerUrl(url: string): { host: string; port: number } {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== 'mqtt:' || parsed.hostname === '') {
    throw configurationError(
      'broker-url-invalid',
      `${url}: not the address of an MQTT broker; write it as mqtt://host:port`,
    );
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: parsed.port === '' ? 1883 : Number(parsed.port) };
}
