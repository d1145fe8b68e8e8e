import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reportProblems } from './trial-report-check.ts';

const device = (id: string) => ({ id, produced: 9, committed: 9, missing: 0, duplicated: 0 });
const round = (number: number, loss: number) => ({
  round: number,
  loss,
  participants: ['mote-1'],
  modelDigest: 'ab',
});
const nodes = [4, 4, 3, 4].map((height) => ({ height, verified: true }));
const ledger = { height: 4, verified: true, nodes };
const prediction = [2, 3].flatMap((mote) =>
  ['temperature', 'humidity'].map((property) => ({
    ...{ device: `mote-${mote}`, property, tolerance: 0.1, worstError: 0.1 },
    ...{ samples: 100, reports: 10, factor: 10 },
  })),
);
const good = {
  devices: ['a', 'b', 'c', 'd', 'e'].map(device),
  rounds: [0.3, 0.4, 0.3, 0.25, 0.2].map((loss, index) => round(index + 1, loss)),
  anomaly: ['mote-1', 'mote-4'].map((device) => ({ device, auc: 0.98 })),
  prediction,
  ledger,
  seconds: { install: 0, toFirstTwin: 1.5 },
};

describe('trial report check', () => {
  it('accepts a trial that lost nothing and learned', () => {
    assert.deepEqual(reportProblems(good), []);
  });

  for (const [name, report, where] of [
    ['four devices', { ...good, devices: good.devices.slice(1) }, 'devices'],
    [
      'a missing sample',
      { ...good, devices: [{ ...device('f'), missing: 1 }, ...good.devices] },
      'devices.0.missing',
    ],
    [
      'a doubled sample',
      { ...good, devices: [{ ...device('f'), duplicated: 1 }, ...good.devices] },
      'devices.0.duplicated',
    ],
    [
      'a silent device',
      { ...good, devices: [{ ...device('f'), produced: 0 }, ...good.devices] },
      'devices.0.produced',
    ],
    ['two rounds', { ...good, rounds: [round(1, 0.3), round(2, 0.2)] }, 'rounds'],
    ['a loss that did not fall', { ...good, rounds: [...good.rounds, round(6, 0.3)] }, 'rounds'],
    ['a mote without a score', { ...good, anomaly: good.anomaly.slice(1) }, 'anomaly'],
    [
      'a score that tells little',
      { ...good, anomaly: [good.anomaly[0], { device: 'mote-4', auc: 0.9 }] },
      'anomaly.1.auc',
    ],
    [
      'a twin that was off by too much',
      { ...good, prediction: [{ ...prediction[0], worstError: 0.2 }, ...prediction.slice(1)] },
      'prediction.0',
    ],
    [
      'a twin without an answer',
      { ...good, prediction: [{ ...prediction[0], worstError: null }, ...prediction.slice(1)] },
      'prediction.0.worstError',
    ],
    [
      'a device that sent nearly everything',
      { ...good, prediction: [{ ...prediction[0], factor: 1.2 }, ...prediction.slice(1)] },
      'prediction.0.factor',
    ],
    ['no prediction', { ...good, prediction: [] }, 'prediction'],
    ['a broken ledger', { ...good, ledger: { ...ledger, verified: false } }, 'ledger.verified'],
    [
      'one broken file of the ledger',
      {
        ...good,
        ledger: { ...ledger, nodes: [...nodes.slice(1), { height: 4, verified: false }] },
      },
      'ledger.nodes.3.verified',
    ],
    [
      'an edge node without a ledger',
      { ...good, ledger: { ...ledger, nodes: nodes.slice(1) } },
      'ledger.nodes',
    ],
    [
      'a node that stayed behind',
      { ...good, ledger: { ...ledger, nodes: [...nodes.slice(1), { height: 2, verified: true }] } },
      'ledger.nodes',
    ],
    ['no twin', { ...good, seconds: { install: 0, toFirstTwin: null } }, 'seconds.toFirstTwin'],
  ] as const) {
    it(`refuses ${name}`, () => {
      const problems = reportProblems(report);
      assert.equal(problems.length, 1);
      assert.ok(problems[0]!.startsWith(`${where}: `));
    });
  }
});
