/**
 * What was heard of Sparkplug traffic, in order. A subscriber hears publishes only, and not whose
 * they are: such a capture decides what concerns messages. One made inside a broker has all kinds,
 * and decides what concerns connections too.
 */
export type Capture = readonly CaptureEvent[];

export type CaptureEvent =
  | ConnectEvent
  | WillEvent
  | SubscribeEvent
  | PublishEvent
  | DisconnectEvent;

interface Happening {
  /** Milliseconds since 1970, UTC, by the clock of who listened. */
  readonly at: number;
}

export interface ConnectEvent extends Happening {
  readonly kind: 'connect';
  readonly client: string;
  /** 4 is MQTT 3.1.1, 5 is MQTT 5. */
  readonly protocol: 4 | 5;
  /** Clean Session, or Clean Start in MQTT 5. */
  readonly clean: boolean;
  /** MQTT 5; where the packet has none it is 0. */
  readonly sessionExpirySeconds?: number;
}

/** What the CONNECT before it registers as the will; none follows a CONNECT without one. */
export interface WillEvent extends Happening, Transmission {
  readonly kind: 'will';
  readonly client: string;
}

export interface SubscribeEvent extends Happening {
  readonly kind: 'subscribe';
  readonly client: string;
  /** A filter. */
  readonly topic: string;
  readonly qos: number;
}

export interface PublishEvent extends Happening, Transmission {
  readonly kind: 'publish';
  /** Nobody, where the broker sends a will, and everywhere in what a subscriber heard. */
  readonly client?: string;
  /** The broker had kept it from before: `at` says nothing of when it was published. */
  readonly kept?: boolean;
}

export interface DisconnectEvent extends Happening {
  readonly kind: 'disconnect';
  readonly client: string;
  /** The reason of a DISCONNECT packet (MQTT 3.1.1 has but 0); none where the link was lost. */
  readonly reason?: number;
}

interface Transmission {
  readonly topic: string;
  /** As it was published: a subscriber hears no more than it asked for. */
  readonly qos: number;
  /** As it was published; unknown to a subscriber over MQTT 3.1.1. */
  readonly retain?: boolean | undefined;
  readonly payload: Uint8Array;
}
