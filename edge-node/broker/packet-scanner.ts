/** Packets a client may send, by the type in the first byte's high half (MQTT 3.1.1, 2.2.1). */
const CONNECT = 1;
const PUBLISH = 3;
const FROM_CLIENTS = new Set([CONNECT, PUBLISH, 4, 5, 6, 7, 8, 10, 12, 14]);
/** Of anything but PUBLISH; the largest of them is a CONNECT with its will. */
const CONTROL_SIZE_BYTES_MAX = 16 * 2 ** 10;
/** Topic and packet id of a PUBLISH. */
const PUBLISH_HEADER_BYTES_MAX = 512;

export type PacketFault = 'payload-too-large' | 'malformed-packet';

/**
 * Follows the packets in one connection's bytes by their fixed headers alone, so that one that
 * announces too much is known before anything of it is kept.
 */
export class PacketScanner {
  readonly #publishBytesMax: number;
  /** The packet whose header is being read; `undefined` before its first byte. */
  #type: number | undefined;
  #length = 0;
  #lengthBytes = 0;
  #bodyBytesLeft = 0;
  #connectSeen = false;

  constructor(payloadSizeBytesMax: number) {
    this.#publishBytesMax = payloadSizeBytesMax + PUBLISH_HEADER_BYTES_MAX;
  }

  /** Takes the next bytes, split anywhere. After a fault the connection is to be closed. */
  scan(chunk: Uint8Array): PacketFault | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytesLeft > 0) {
        const taken = Math.min(this.#bodyBytesLeft, chunk.length - at);
        this.#bodyBytesLeft -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at++]!;
      const fault = this.#type === undefined ? this.#begin(byte >> 4) : this.#measure(byte);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #begin(type: number): PacketFault | undefined {
    const inPlace = FROM_CLIENTS.has(type) && (type === CONNECT) !== this.#connectSeen;
    if (!inPlace) return 'malformed-packet';
    this.#connectSeen = true;
    this.#type = type;
    this.#length = 0;
    this.#lengthBytes = 0;
    return undefined;
  }

  /** One byte of the remaining length: MQTT 3.1.1, 2.2.3. */
  #measure(byte: number): PacketFault | undefined {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    const max = this.#type === PUBLISH ? this.#publishBytesMax : CONTROL_SIZE_BYTES_MAX;
    if (this.#length > max) return 'payload-too-large';
    if (byte < 0x80) {
      this.#bodyBytesLeft = this.#length;
      this.#type = undefined;
      return undefined;
    }
    return this.#lengthBytes === 4 ? 'malformed-packet' : undefined;
  }
}
