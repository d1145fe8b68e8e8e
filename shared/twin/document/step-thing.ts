import { ok, type Result } from '../../basics/result.ts';
import { editThing } from './edit-thing.ts';
import { jsonEqual, ownValue } from './json.ts';
import { formatPointer } from './json-pointer.ts';
import { reportSamples } from './report-samples.ts';
import {
  type Acknowledgement,
  type DesiredProperty,
  isInProgress,
  splitPath,
  type Thing,
} from './thing.ts';
import {
  type Change,
  commitChange,
  type ThingEffect,
  type ThingInput,
  type ThingRejection,
  type ThingStep,
} from './thing-step.ts';

type Input<Kind extends ThingInput['kind']> = Extract<ThingInput, { kind: Kind }>;

/**
 * The thing after one input, and what is to be done about it. What changes nothing makes no
 * revision and has no effect, so that whatever comes twice does no harm. Of what is reported, the
 * device's newest stands, in whatever order it comes; what is desired carries the hub's version.
 */
export function stepThing(thing: Thing, input: ThingInput): Result<ThingStep, ThingRejection> {
  switch (input.kind) {
    case 'reported':
      return ok(reportSamples(thing, input));
    case 'presence':
      return ok(changePresence(thing, input));
    case 'acknowledged':
      return ok(acknowledge(thing, input));
    case 'edited':
      return editThing(thing, input);
  }
}

function changePresence(thing: Thing, { nowMs, online, units }: Input<'presence'>): ThingStep {
  // What a broker says of a device's death carries no units.
  const unitsNow = online ? units : thing.units;
  const turned = thing.presence.online !== online || !thing.exists;
  if (!turned && jsonEqual(unitsNow, thing.units)) return { thing, effects: [] };
  const presence = turned ? { online, sinceMs: nowMs } : thing.presence;
  const next: Thing = { ...thing, exists: true, presence, units: unitsNow };
  const changes: Change[] = turned ? [{ path: '/online', value: online }] : [];
  return commitChange(thing, next, { nowMs, by: 'device', changes });
}

function acknowledge(
  thing: Thing,
  { nowMs, epoch, acknowledgements }: Input<'acknowledged'>,
): ThingStep {
  let next = thing;
  const changes: Change[] = [];
  const ignored: string[] = [];
  for (const { path, value, ac, av, ad } of acknowledgements) {
    const { feature, property } = splitPath(path);
    const desired = ownValue(ownValue(next.features, feature)?.desired ?? {}, property);
    const acknowledgement = { value, ac, av, ad };
    if (desired === undefined || epoch !== thing.desiredEpoch || av !== desired.version) {
      ignored.push(path);
    } else if (saysMore(acknowledgement, desired.acknowledged)) {
      const acknowledged = { ...acknowledgement, receivedMs: nowMs };
      next = withDesired(next, { feature, property }, { ...desired, acknowledged });
      changes.push({ path: acknowledgedPointer(feature, property), value: acknowledgement });
    }
  }
  const effects: ThingEffect[] =
    ignored.length === 0 ? [] : [{ kind: 'ignore-acknowledgements', paths: ignored }];
  if (next === thing) return { thing, effects };
  const step = commitChange(thing, next, { nowMs, by: 'device', changes });
  return { thing: step.thing, effects: [...step.effects, ...effects] };
}

/** What is final stays when "in progress" comes late; of two final ones the later counts. */
function saysMore(answer: Acknowledgement, known: DesiredProperty['acknowledged']): boolean {
  if (known === undefined) return true;
  if (isInProgress(answer) && !isInProgress(known)) return false;
  return answer.ac !== known.ac || answer.ad !== known.ad || !jsonEqual(answer.value, known.value);
}

function withDesired(
  thing: Thing,
  { feature, property }: { feature: string; property: string },
  desired: DesiredProperty,
): Thing {
  const before = thing.features[feature]!;
  const after = { ...before, desired: { ...before.desired, [property]: desired } };
  return { ...thing, features: { ...thing.features, [feature]: after } };
}

function acknowledgedPointer(feature: string, property: string): string {
  const keys = ['_metadata', 'features', feature, 'desiredProperties', property, 'acknowledged'];
  return formatPointer(keys);
}
