import type { Connection } from '@libp2p/interface';

/** Closes a connection and all its streams at once; nothing where it is closed already. */
export function abortConnection(connection: Connection, why: string): void {
  if (connection.status !== 'open') return;
  try {
    connection.abort(new Error(why));
  } catch {
    // The muxer wants to say goodbye first and throws where it cannot, leaving the socket open.
    void connection.close().catch(() => undefined);
  }
}

/** Lets what is on its way go out, for a second at most, and closes the connection. */
export async function closeConnection(connection: Connection): Promise<void> {
  try {
    await connection.close();
  } catch {
    abortConnection(connection, 'it would not close');
  }
}

/** Ends the connection when a stream that it cannot do without has ended. */
export function endWith(stream: EventTarget, connection: Connection, why: string): void {
  // Later, since the stream may end because the connection is being aborted.
  const end = () => queueMicrotask(() => abortConnection(connection, why));
  stream.addEventListener('close', end, { once: true });
}
