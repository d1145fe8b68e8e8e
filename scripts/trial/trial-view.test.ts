import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeStatus } from '#edge-node/api/status.ts';
import { liveLines, type TrialProgress } from './trial-view.ts';

const status: NodeStatus = {
  node: 'edge-1',
  group: 'trial',
  uptimeSeconds: 3,
  devices: [
    { id: 'mote-1', online: true, samples: 50, dropped: {}, ageMs: 4, anomalyScore: 0.127 },
  ],
  storage: {
    fileBytes: 4096,
    usedBytes: 4096,
    historyBytes: 0,
    removedSamples: 0,
    removedRevisions: 0,
  },
  learning: {
    task: 't',
    phase: 'training',
    round: 4,
    rounds: [{ round: 3, loss: 0.25, participants: ['mote-1'], modelDigest: 'd' }],
  },
  ledger: { height: 7, stateDigest: 'd', pending: 0, signing: 'signing', trouble: null, peers: 0 },
  peers: {},
  events: {},
};
const progress: TrialProgress = {
  elapsedSeconds: 15,
  totalSeconds: 60,
  programs: [
    { name: 'edge-1', pid: 11, restarts: 0 },
    { name: 'mote-1', pid: undefined, restarts: 2, expected: 100 },
  ],
  statuses: new Map([['edge-1', status]]),
};

describe('live view', () => {
  it('shows time, programs, samples, round and ledger', () => {
    const lines = liveLines(progress);
    const text = lines.join('\n');
    assert.match(text, /\[#{6}\.{18}\] {2}15 of 60 s/);
    assert.match(text, /edge-1 +11 +0 +7/);
    assert.match(text, /mote-1 +down +2 +50 +0\.13 +\[#{12}\.{12}\]/);
    assert.match(text, /round 4 training {2}loss 0\.2500/);
    assert.match(text, /ledger height 7 on 1 node$/);
  });

  it('says between which heights the nodes are', () => {
    const behind = { ...status, node: 'edge-2', ledger: { ...status.ledger, height: 5 } };
    const statuses = new Map([...progress.statuses, ['edge-2', behind]]);
    assert.match(liveLines({ ...progress, statuses }).join('\n'), /heights 5 to 7 on 2 nodes$/);
  });

  it('says when no edge node answers', () => {
    const text = liveLines({ ...progress, statuses: new Map() }).join('\n');
    assert.match(text, /no edge node answers/);
  });
});
