import type { ReportedProperty, Thing } from '#shared/twin/document/thing.ts';
import { type Answer, answerAt } from '#shared/twin/prediction/answer.ts';
import { chainTrack } from '#shared/twin/prediction/report-chain.ts';
import { deviceOf, reportedOf } from '../thing-facts.ts';
import type { TwinStore } from '../twin-store.ts';
import type { PromisedTrack } from './twin-tracks.ts';

/** What a twin says of a property at a time. */
export interface PropertyAnswer extends Answer {
  /** By which the value was found. */
  readonly predictor: string;
  /** The device's promise; none where every sample is sent, as nothing is promised in between. */
  readonly tolerance?: number;
}

export interface PropertyQuestion {
  readonly device: string;
  /** `feature/property`. */
  readonly property: string;
  /** By the device's clock; now where it is left out. */
  readonly atMs?: number | undefined;
  readonly nowMs: number;
}

/** A promise of nothing: no silence means agreement. */
const NO_POLICY = { tolerance: 0, heartbeatMs: 0 };

/**
 * The value, age and expected error of a property now or at another time; `undefined` where nothing
 * that a device reported of it is a number, and for times before the first that is kept.
 *
 * Samples arrive in the order they were measured in, so everything up to the newest that came is
 * known; while the device is online with nothing waiting, up to now. That a link is dead shows
 * after one and a half keep-alives: until then silence is taken for agreement.
 */
export function propertyAnswer(
  twins: TwinStore,
  { device, property, atMs, nowMs }: PropertyQuestion,
): PropertyAnswer | undefined {
  const thing = twins.get(device);
  const reported = thing && reportedOf(thing, property);
  if (thing === undefined || reported?.source === undefined) return undefined;
  const isPast = atMs !== undefined && (reported.writtenBy !== undefined || atMs < reported.timeMs);
  const of = { device, property };
  const promised = isPast
    ? twins.tracks.at(of, atMs)
    : (twins.tracks.upTo(of, reported.source) ?? heldTrack(reported));
  if (promised === undefined) return undefined;
  const { track, policy, missesNext = false } = promised;
  const { predictor } = track.newest;
  const timeMs = atMs ?? nowMs;
  const heardMs = heardUntilMs(twins, thing, nowMs);
  if (policy === undefined) {
    const errors = twins.tracks.held.errorsOf(of, reported.timeMs, nowMs);
    return { ...answerAt(track, { timeMs, heardMs, policy: NO_POLICY, errors }), predictor };
  }
  const test = twins.tracks.testOf(of);
  const errors = test?.predictor === predictor ? test.errors : [];
  const answer = answerAt(track, { timeMs, heardMs, policy, errors });
  const unknown =
    missesNext && timeMs > track.newest.timeMs
      ? ({ expectedError: null, errorBasis: 'out-of-step' } as const)
      : {};
  return { ...answer, ...unknown, predictor, tolerance: policy.tolerance };
}

/** Where the sample itself is not here: no longer kept, or seen live ahead of its stream. */
function heldTrack({
  value,
  timeMs,
  quality,
  writtenBy,
}: ReportedProperty): PromisedTrack | undefined {
  const isSample = writtenBy === undefined && (value === null || typeof value === 'number');
  return isSample ? { track: chainTrack([{ timeMs, value, quality }])! } : undefined;
}

function heardUntilMs(twins: TwinStore, thing: Thing, nowMs: number): number {
  const isUpToDate = thing.presence.online && twins.waitingOf(deviceOf(thing)) === 0;
  return isUpToDate ? nowMs : (twins.tracks.heardMs(deviceOf(thing)) ?? 0);
}
