import { type DeltaEntry, deltaEntry, type Tolerances, toleranceOf } from './delta.ts';
import { isoTime } from './iso-time.ts';
import type { JsonValue } from './json.ts';
import { type DesiredEntry, desiredEntries, type Thing } from './thing.ts';

/** One reason why a desired value is not, or not yet, what is reported. */
export interface Reason {
  readonly code:
    | 'offline'
    | 'unseen'
    | 'in-progress'
    | 'rejected'
    | 'unconfirmed'
    | 'out-of-tolerance'
    | 'written-over'
    | 'stale'
    | 'overwritten';
  /** Since when by the host's clock, where there is such a time. */
  readonly sinceMs?: number;
  /** Who, where somebody is the reason. */
  readonly by?: string;
  /** One sentence for a person. */
  readonly message: string;
}

export interface Explanation extends DeltaEntry {
  /** The nearest first; none where the value is in step. */
  readonly reasons: readonly Reason[];
}

const VALUE_SHOWN_MAX = 60;

/** Why each desired property of a thing is where it is, by path. */
export function explainThing(thing: Thing, tolerances: Tolerances = {}): Explanation[] {
  return desiredEntries(thing).map((entry) => {
    const tolerance = toleranceOf(tolerances, entry);
    const delta = deltaEntry(entry, tolerance);
    return { ...delta, reasons: [...reasonsOf(thing, entry, { delta, tolerance })] };
  });
}

function* reasonsOf(
  thing: Thing,
  entry: DesiredEntry,
  { delta, tolerance }: { delta: DeltaEntry; tolerance: number },
): Generator<Reason> {
  const { desired } = entry;
  if (delta.state !== 'in-step') {
    yield* offline(thing);
    yield nearest(entry, delta, tolerance);
    yield* writtenOver(entry);
  }
  if (desired.overwrote !== undefined) {
    const { value, version, writtenBy } = desired.overwrote;
    const { writtenBy: by, timeMs } = desired;
    const earlier = `${shown(value)} (version ${version}, by ${writtenBy})`;
    const message = `${by} overwrote ${earlier} before the device had taken it`;
    yield { code: 'overwritten', sinceMs: timeMs, by, message };
  }
}

function* offline({ presence }: Thing): Generator<Reason> {
  if (presence.online) return;
  const message =
    presence.sinceMs === 0
      ? 'the device has never been online'
      : `the device has been offline since ${isoTime(presence.sinceMs)}`;
  yield { code: 'offline', sinceMs: presence.sinceMs, message };
}

function nearest(
  { desired, reported }: DesiredEntry,
  { state, version }: DeltaEntry,
  tolerance: number,
): Reason {
  const acknowledged = desired.acknowledged!;
  switch (state) {
    case 'in-step':
    case 'unseen': {
      const sinceMs = desired.timeMs;
      const message = `the device has not answered version ${version} of ${isoTime(sinceMs)}`;
      return { code: 'unseen', sinceMs, message };
    }
    case 'in-progress': {
      const message = `the device is at it: ${acknowledged.ad || acknowledged.ac}`;
      return { code: 'in-progress', sinceMs: acknowledged.receivedMs, message };
    }
    case 'rejected': {
      const reason = acknowledged.ad || 'without a reason';
      const message = `the device rejected it with ${acknowledged.ac}: ${reason}`;
      return { code: 'rejected', sinceMs: acknowledged.receivedMs, message };
    }
    case 'unconfirmed': {
      const message = 'the device says done, and has reported nothing since';
      return { code: 'unconfirmed', sinceMs: acknowledged.receivedMs, message };
    }
    case 'differs': {
      const has = reported?.value ?? acknowledged.value;
      const most = tolerance > 0 ? `, more than ${tolerance} off` : '';
      const message = `the device has ${shown(has)} instead of ${shown(desired.value)}${most}`;
      const sinceMs = reported?.receivedMs ?? acknowledged.receivedMs;
      return { code: 'out-of-tolerance', sinceMs, message };
    }
  }
}

function* writtenOver({ reported }: DesiredEntry): Generator<Reason> {
  const by = reported?.writtenBy;
  if (reported === undefined || by === undefined) return;
  const message = `what is shown as reported was written by ${by}, not by the device`;
  yield { code: 'written-over', sinceMs: reported.receivedMs, by, message };
}

function shown(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_SHOWN_MAX ? text : `${text.slice(0, VALUE_SHOWN_MAX)}…`;
}
