import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import type { Clock } from '#runtime/clock/clock.ts';
import type { Events } from '#runtime/observe/events.ts';
import { type Answers, type Reply, refusalToError } from './answers.ts';
import { createFrameReader, encodeFrame } from './frames.ts';
import { PeerError, type PeerKey, type PeerLimits } from './peer-network.ts';

const ANSWERED = 0;
const REFUSED = 1;
const REASON = /^[a-z0-9-]{1,64}$/;
const REFUSAL_CHARACTERS_MAX = 300;

/** Each request has a stream: a frame each way, the answer's first byte saying what it is. */
function requestProtocol(protocol: string): string {
  return `/diten/request/${protocol}/1`;
}

export interface AskOptions {
  readonly connection: Connection;
  readonly protocol: string;
  readonly limits: PeerLimits;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The peer answered with what no correct peer answers. */
  onBreach(code: string): void;
}

/** @throws {PeerError} */
export async function ask(body: Uint8Array, options: AskOptions): Promise<Uint8Array> {
  const { connection, protocol, limits, clock, timeoutMs, onBreach } = options;
  const abort = new AbortController();
  let stream: Stream | undefined;
  const cancel = clock.after(timeoutMs, () => {
    abort.abort();
    stream?.abort(new Error('no answer in time'));
  });
  try {
    stream = await connection.newStream(requestProtocol(protocol), { signal: abort.signal });
    const answer = readFrame(stream, limits.answerSizeBytesMax + 1);
    stream.send(encodeFrame(body));
    const reply = decodeReply(await answer);
    await stream.close({ signal: abort.signal });
    if (!reply.ok) throw refusalToError(reply);
    return reply.body;
  } catch (error) {
    stream?.abort(new Error('the request is over'));
    if (error instanceof PeerError && error.code.startsWith('answer-')) onBreach(error.code);
    if (error instanceof PeerError) throw error;
    if (abort.signal.aborted) {
      const message = `${protocol} was not answered within ${timeoutMs} ms; ask another peer`;
      throw new PeerError('request-timeout', message, { cause: error });
    }
    if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
      const message = `the peer does not answer ${protocol}; ask another`;
      throw new PeerError('protocol-unknown', message, { cause: error });
    }
    const message = `the peer went away before it answered ${protocol}; ask again`;
    throw new PeerError('request-interrupted', message, { cause: error });
  } finally {
    cancel();
  }
}

export interface AnswerStreamOptions {
  readonly protocol: string;
  readonly limits: PeerLimits;
  readonly clock: Clock;
  readonly events: Events;
  readonly answers: Answers;
  /** Undefined where the peer is not admitted. */
  keyOf(connection: Connection): PeerKey | undefined;
  onBreach(peer: PeerKey, code: string): void;
}

/** Answers a protocol's requests from now on. */
export async function answerStreams(node: Libp2p, options: AnswerStreamOptions): Promise<void> {
  const { protocol, limits } = options;
  // Streams beyond what is answered at once are there to be refused in words.
  const maxInboundStreams = limits.requestsAtOnceMax * 4;
  const take = (stream: Stream, connection: Connection) => {
    void answerStream(stream, connection, options);
  };
  await node.handle(requestProtocol(protocol), take, {
    maxInboundStreams,
    maxOutboundStreams: 1024,
  });
}

/** Never throws: whatever goes wrong ends the stream. */
async function answerStream(
  stream: Stream,
  connection: Connection,
  options: AnswerStreamOptions,
): Promise<void> {
  const { protocol, limits, clock, events, answers } = options;
  const from = options.keyOf(connection);
  const abort = new AbortController();
  const cancel = clock.after(limits.requestTimeoutMs, () => {
    abort.abort();
    stream.abort(new Error('the request took too long'));
  });
  try {
    if (from === undefined) throw new Error('not admitted');
    const body = await readFrame(stream, limits.requestSizeBytesMax);
    await answers.serve({ from, protocol, body }, async (reply) => {
      try {
        stream.send(encodeFrame(encodeReply(reply)));
        // Without the signal this may wait for ever, though the stream be aborted.
        await stream.close({ signal: abort.signal });
      } catch (error) {
        events.record('info', 'answer-undelivered', { peer: from, protocol });
        stream.abort(error instanceof Error ? error : new Error(`${error}`));
      }
    });
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(`${error}`));
    if (from === undefined) return;
    if (error instanceof PeerError) options.onBreach(from, 'request-too-large');
    else events.record('info', 'request-broken-off', { peer: from, protocol });
  } finally {
    cancel();
  }
}

/**
 * The one message that a stream carries.
 * @throws {PeerError} `answer-too-large` where more is announced; anything else where it ends early
 */
function readFrame(stream: Stream, sizeBytesMax: number): Promise<Uint8Array> {
  const frames = createFrameReader(sizeBytesMax);
  return new Promise((resolve, reject) => {
    const endedEarly = () => reject(new Error('the stream ended within a frame'));
    stream.addEventListener('close', endedEarly, { once: true });
    stream.addEventListener('remoteCloseWrite', () => {
      // What came before the end may still be in the stream's buffer.
      if (stream.readBufferLength === 0) endedEarly();
    });
    stream.addEventListener('message', ({ data }) => {
      if (frames.read(data.subarray(), resolve)) return;
      const message = `more than ${sizeBytesMax} bytes are announced; ask for less`;
      reject(new PeerError('answer-too-large', message));
    });
  });
}

function encodeReply(reply: Reply): Uint8Array {
  if (!reply.ok)
    return Buffer.from(`${String.fromCharCode(REFUSED)}${reply.reason}\n${reply.message}`);
  const bytes = new Uint8Array(1 + reply.body.length);
  bytes[0] = ANSWERED;
  bytes.set(reply.body, 1);
  return bytes;
}

/** @throws {PeerError} `answer-malformed` */
function decodeReply(bytes: Uint8Array): Reply {
  if (bytes[0] === ANSWERED) return { ok: true, body: bytes.subarray(1) };
  const [reason = '', ...rest] = Buffer.from(bytes.subarray(1, 1024)).toString().split('\n');
  if (bytes[0] !== REFUSED || !REASON.test(reason)) {
    throw new PeerError('answer-malformed', 'the answer is neither one nor a refusal');
  }
  const message = rest
    .join(' ')
    .replace(/[^ -~]/g, '?')
    .slice(0, REFUSAL_CHARACTERS_MAX);
  return { ok: false, reason, message };
}
