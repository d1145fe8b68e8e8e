import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MetricDefinition, Reading } from '../edge-metrics.ts';
import { defaultHostNodeOptions } from '../host-node-state.ts';
import { HostNodes } from '../host-nodes.ts';
import { type Grade, grade } from './grade.ts';
import { Stage } from './stage.fixture.ts';

const heat: MetricDefinition = { name: 'heat', datatype: 'Double' };
const level: MetricDefinition = { name: 'level', datatype: 'Int32' };
const open: MetricDefinition = { name: 'open', datatype: 'Boolean', isWritable: true };

/** What can happen, by name. */
const happenings: Record<string, (stage: Stage) => void> = {
  'host comes': (stage) => stage.host({ kind: 'connect' }),
  'host leaves': (stage) => stage.host({ kind: 'leave' }),
  'host is cut off': (stage) => stage.cut('host'),
  'host is doubted': (stage) => stage.doubtHost(),
  'edge comes': (stage) => stage.edge({ kind: 'connect' }),
  // Later than an answer to a STATE would come: of one that leaves then, nobody knows why.
  'edge leaves': (stage) => {
    stage.advance(1100);
    stage.edge({ kind: 'leave' });
  },
  'edge is cut off': (stage) => stage.cut('edge'),
  'time goes by': (stage) => {
    stage.advance(1100);
    stage.edge({ kind: 'tick' });
  },
  'valve is attached': (stage) => attach(stage, 'valve'),
  'fan is attached': (stage) => attach(stage, 'fan'),
  'valve is lost': (stage) => stage.edge({ kind: 'device-down', device: 'valve' }),
  'node reports': (stage) =>
    stage.edge({ kind: 'report', readings: [reading(stage, 'heat', 0.5)] }),
  'valve reports': (stage) => report(stage, 'valve'),
  'fan reports': (stage) => report(stage, 'fan'),
  'rebirth is asked for': (stage) => stage.askForRebirth(),
  'valve is opened': (stage) => stage.write('valve', 'open', true),
};

function attach(stage: Stage, device: string): void {
  const initial = [reading(stage, 'open', false)];
  stage.edge({ kind: 'define', device, metrics: [level, open], initial });
}

function report(stage: Stage, device: string): void {
  stage.edge({ kind: 'report', device, readings: [reading(stage, 'level', 0)] });
}

/** A value that no reading before it had. */
function reading({ wallMs }: Stage, name: string, fraction: number | boolean): Reading {
  const value = typeof fraction === 'boolean' ? fraction : (wallMs % 1e9) + fraction;
  return { name, value, timestampMs: wallMs, quality: 'good' };
}

function play(protocol: 4 | 5, names: readonly string[]): readonly Grade[] {
  const nodes = new HostNodes({ nodesMax: 10, node: defaultHostNodeOptions });
  const stage = new Stage(protocol, nodes);
  stage.edge({ kind: 'define', metrics: [heat], initial: [reading(stage, 'heat', 0)] });
  for (const name of names) {
    stage.advance(20);
    happenings[name]!(stage);
  }
  return grade(stage.capture);
}

function failures(grades: readonly Grade[]): string[] {
  return grades.flatMap(({ assertion, fault }) =>
    fault === undefined ? [] : `${assertion.id}: ${fault.message}`,
  );
}

describe("this project's own sessions", () => {
  for (const protocol of [4, 5] as const) {
    it(`keep every assertion in a long story over MQTT ${protocol}`, () => {
      const grades = play(protocol, [
        ...['valve is attached', 'fan is attached', 'edge comes', 'host comes', 'node reports'],
        ...['valve reports', 'fan reports', 'valve is opened', 'time goes by'],
        ...['rebirth is asked for', 'time goes by', 'valve reports', 'node reports'],
        ...['valve is lost', 'node reports', 'valve is attached', 'host is doubted', 'fan reports'],
        ...['edge is cut off', 'edge comes', 'node reports', 'time goes by', 'host leaves'],
        ...['edge comes', 'host comes', 'node reports', 'edge leaves', 'host is cut off'],
      ]);
      assert.deepEqual(failures(grades), []);
      const passed = grades.filter(({ outcome }) => outcome === 'pass');
      assert.ok(passed.length >= 200, `${passed.length} of them`);
    });
  }

  it('keep every assertion whatever happens', () => {
    const names = fc.array(fc.constantFrom(...Object.keys(happenings)), { maxLength: 60 });
    fc.assert(
      fc.property(fc.constantFrom(4 as const, 5 as const), names, (protocol, story) => {
        const start = ['host comes', 'valve is attached', 'edge comes'];
        assert.deepEqual(failures(play(protocol, [...start, ...story])), []);
      }),
      { numRuns: 200 },
    );
  });
});
