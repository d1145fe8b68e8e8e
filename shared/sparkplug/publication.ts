/** When something happens, on both clocks: intervals must not follow a wall clock that is set. */
export interface Instant {
  /** Milliseconds since 1970, UTC. */
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** A message to publish, or to leave with the broker as the will. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** A message from the broker. */
export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from before the subscription. */
  readonly retained: boolean;
}

/** What a Sparkplug client opens its connection with: no session outlives it. */
export interface ConnectRequest {
  /** MQTT 3.1.1's `Clean Session`, MQTT 5's `Clean Start`. */
  readonly cleanSession: true;
  /** MQTT 5's. */
  readonly sessionExpirySeconds: 0;
  readonly will: Publication;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
}
