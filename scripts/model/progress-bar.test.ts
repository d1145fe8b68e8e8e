import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { startProgress } from './progress-bar.ts';

function stream(isTTY: boolean) {
  const written: string[] = [];
  const writable = new Writable({
    write(chunk, _encoding, done) {
      written.push(`${chunk}`);
      done();
    },
  });
  return { written, stream: Object.assign(writable, { isTTY }) as unknown as NodeJS.WriteStream };
}

describe('progress', () => {
  it('is a line at each tenth of the way where there is no terminal', () => {
    const { written, stream: out } = stream(false);
    const progress = startProgress(out);
    for (let step = 1; step <= 100; step++) progress.show(step / 100, `step ${step}`);
    progress.end();
    assert.equal(written.length, 10);
    assert.deepEqual([written[0], written[9]], [' 10 %  step 10\n', '100 %  step 100\n']);
  });

  it('is one line that is drawn again and again on a terminal', () => {
    const { written, stream: out } = stream(true);
    const progress = startProgress(out);
    progress.show(0.5, 'half');
    progress.show(1, 'all');
    progress.end();
    const text = written.join('');
    assert.match(text, /^\r\[={15}\.{15}\] {2}50 % {2}half/);
    assert.equal(text.split('\n').length, 2);
  });
});
