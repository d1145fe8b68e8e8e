import type { Socket } from 'node:net';

export interface Traffic {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

/** Counts what went over the broker's connections; the process's own messages are not among it. */
export class TrafficMeter {
  readonly #open = new Set<Socket>();
  #messagesReceived = 0;
  #messagesSent = 0;
  #closedBytesReceived = 0;
  #closedBytesSent = 0;

  follow(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedBytesReceived += socket.bytesRead;
      this.#closedBytesSent += socket.bytesWritten;
    });
  }

  messageReceived(): void {
    this.#messagesReceived++;
  }

  messageSent(): void {
    this.#messagesSent++;
  }

  get connections(): Iterable<Socket> {
    return this.#open;
  }

  total(): Traffic {
    let bytesReceived = this.#closedBytesReceived;
    let bytesSent = this.#closedBytesSent;
    for (const { bytesRead, bytesWritten } of this.#open) {
      bytesReceived += bytesRead;
      bytesSent += bytesWritten;
    }
    return {
      messagesReceived: this.#messagesReceived,
      messagesSent: this.#messagesSent,
      bytesReceived,
      bytesSent,
    };
  }
}
