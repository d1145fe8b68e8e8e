import { type Random, seededRandom, shuffledIndices } from '#shared/basics/seeded-random.ts';

export const faultKinds = [
  /** kill -9. */
  'kill-agent',
  'kill-edge',
  'kill-both',
  /** SIGSTOP, and SIGCONT later. */
  'pause-agent',
  'pause-edge',
  /** Connections end, and none is let through. */
  'cut-link',
  'cut-all',
  /** Connections stay, and nothing gets through. */
  'half-open',
  'slow-link',
  /** Connections end in the middle of a message. */
  'reset-link',
  'disk-full-agent',
  'disk-full-edge',
  'clock-ahead',
  'clock-back',
  /** The edge node's, ahead or back. */
  'clock-edge',
  /** The agent's folder as it was some time before. */
  'restore-copy',
  /** Another client of the device's name. */
  'duplicate-client',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  /** From the start of the run. */
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Index of the device it is about, where it is about one. */
  readonly device: number;
  readonly durationMs: number;
  /** Anything else about it, in [0, 1). */
  readonly amount: number;
}

export interface PlanSize {
  readonly seed: number;
  readonly seconds: number;
  readonly devices: number;
}

/**
 * The faults of a chaos run, in the order of their times: the same for the same size, on every
 * machine. Every kind comes once before any comes twice.
 */
export function planFaults({ seed, seconds, devices }: PlanSize): Fault[] {
  const random = seededRandom(seed);
  const meanGapMs = 1000 * Math.min(3.5, Math.max(1, seconds / 20));
  const kinds = endlessKinds(random);
  const faults: Fault[] = [];
  let atMs = meanGapMs;
  while (atMs < 1000 * seconds) {
    faults.push({
      atMs: Math.round(atMs),
      kind: kinds.next().value,
      device: Math.floor(random() * devices),
      durationMs: Math.round(400 + 2600 * random()),
      amount: random(),
    });
    atMs += meanGapMs * (0.5 + random());
  }
  return faults;
}

function* endlessKinds(random: Random): Generator<FaultKind, never> {
  for (;;) {
    for (const index of shuffledIndices(faultKinds.length, random)) yield faultKinds[index]!;
  }
}
