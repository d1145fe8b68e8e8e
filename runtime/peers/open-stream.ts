import type { Connection, NewStreamOptions, Stream } from '@libp2p/interface';

/**
 * Opens a stream, in a turn of the event loop in which nothing else happens. Yamux writes to the
 * connection once more after the stream is made, from where no failure can be caught: had the same
 * turn closed the connection, be it for what the peer sent, the program would end of it.
 */
export async function openStream(
  connection: Connection,
  protocols: string | string[],
  options?: NewStreamOptions,
): Promise<Stream> {
  await new Promise(setImmediate);
  return connection.newStream(protocols, options);
}
