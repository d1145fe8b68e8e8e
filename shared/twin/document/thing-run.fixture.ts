import assert from 'node:assert/strict';
import type { JsonValue } from './json.ts';
import { stepThing } from './step-thing.ts';
import { newThing, type Thing } from './thing.ts';
import type {
  Edit,
  EditPrecondition,
  ReportedSample,
  ThingEffect,
  ThingInput,
} from './thing-step.ts';

export const EPOCH = '0123456789abcdef';
export const DESIRED_EPOCH = 'fedcba9876543210';
export const fresh = newThing('lab:mote-1', DESIRED_EPOCH);

export function sample(
  sequence: number,
  value: JsonValue,
  property = 'env/temperature',
): ReportedSample {
  return { sequence, property, timeMs: 10 * sequence, value, quality: 'ok' };
}

export function reported(...samples: ReportedSample[]): ThingInput {
  return { kind: 'reported', nowMs: 1000, epoch: EPOCH, generation: 1, samples };
}

export function edited(edit: Edit, precondition: EditPrecondition = {}, by = 'ann'): ThingInput {
  return { kind: 'edited', nowMs: 2000, by, edit, precondition };
}

export function put(path: string, value: JsonValue): Edit {
  return { op: 'put', path, value };
}

export function run(
  thing: Thing,
  ...inputs: ThingInput[]
): { thing: Thing; effects: ThingEffect[] } {
  const effects: ThingEffect[] = [];
  let next = thing;
  for (const input of inputs) {
    const step = stepThing(next, input);
    assert.ok(step.ok, step.ok ? '' : step.error.message);
    next = step.value.thing;
    effects.push(...step.value.effects);
  }
  return { thing: next, effects };
}

export function refusal(thing: Thing, input: ThingInput): string {
  const step = stepThing(thing, input);
  return step.ok ? 'was accepted' : step.error.code;
}

export function kinds(effects: readonly ThingEffect[]): string[] {
  return effects.map(({ kind }) => kind);
}
