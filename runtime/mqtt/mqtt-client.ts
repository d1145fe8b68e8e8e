export interface MqttMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from before the subscription; may come after a newer one that was not. */
  readonly retained: boolean;
}

/** Calls are in order of arrival and may overlap; the promise settles when the message is done. */
export type MqttHandler = (message: MqttMessage) => void | Promise<void>;

export interface PublishOptions {
  /** 0: resolves when the transport took it. 1: resolves when the broker has it. */
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
}

export type OfflineCode =
  | 'unreachable'
  | 'connection-lost'
  /** The broker refused the client id: another device uses it, or it is not a valid one. */
  | 'identifier-rejected'
  | 'credentials-refused'
  | 'not-authorised'
  | 'server-unavailable'
  | 'protocol-refused'
  /** This end was disposed of. */
  | 'closed';

export interface OfflineReason {
  readonly code: OfflineCode;
  readonly message: string;
}

export type ConnectionListener = (connected: boolean, reason?: OfflineReason) => void;

/** What the programs speak MQTT through. */
export interface MqttClient extends AsyncDisposable {
  readonly connected: boolean;
  /**
   * Nothing waits for a connection: what cannot go now is rejected, and what was under way when the
   * connection went is too (it may have arrived all the same). `payload` stays as it is afterwards.
   *
   * Errors: {@link MqttError}.
   */
  publish(topic: string, payload: Uint8Array, options?: PublishOptions): Promise<void>;
  /**
   * Lasts until disposal, over all reconnects. Resolves when the broker granted it; where there is
   * no connection at once, to take effect with the next. While many promises of handlers are open,
   * the transport is not read. A message comes at least once per subscription it matches.
   *
   * Errors: {@link MqttError} `topic-invalid`, `subscription-refused`, `not-connected` (disposed).
   */
  subscribe(filter: string, handler: MqttHandler): Promise<void>;
  /** `listener` hears of each change of the connection, and of the reason why there is none. */
  onConnectionChange(listener: ConnectionListener): void;
}

export type MqttErrorCode =
  | 'not-connected'
  | 'connection-lost'
  /** Too much is under way already: wait for earlier promises. */
  | 'congested'
  | 'topic-invalid'
  | 'payload-too-large'
  | 'retained-full'
  | 'subscription-refused';

export class MqttError extends Error {
  override readonly name = 'MqttError';
  readonly code: MqttErrorCode;

  constructor(code: MqttErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
