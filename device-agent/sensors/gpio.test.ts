import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgramError } from '#runtime/process/program-error.ts';
import { type FakeRoot, fakeRoot } from './fake-root.fixture.ts';
import { chipFiles, fakeOnoff } from './gpio.fixture.ts';
import { createGpioSensor, type GpioModule, type GpioOptions } from './gpio.ts';

const VALUE = 'class/gpio/gpio529/value';

function board(): FakeRoot {
  return fakeRoot({ ...chipFiles(512, 'pinctrl-rp1'), [VALUE]: '0\n' });
}

function create(root: string, options: Partial<GpioOptions>) {
  return createGpioSensor({
    root,
    line: 17,
    property: 'door/open',
    periodMs: 1000,
    activeLow: false,
    edges: 'none',
    debounceMs: 0,
    ...options,
  });
}

async function problem(loadModule: GpioOptions['loadModule'], root = board().root) {
  const error = await create(root, { loadModule }).catch((thrown) => thrown);
  assert.ok(error instanceof ProgramError, String(error));
  return { exit: error.exit, text: `${error.code}: ${error.message}` };
}

/** `onoff` where the kernel answers the export of a line with an error. */
function refusing(code: string): () => Promise<GpioModule> {
  class Gpio {
    constructor() {
      throw Object.assign(new Error(`${code}: write`), { code });
    }
    read = async () => 0 as const;
    watch() {
      throw new Error('never opened');
    }
    unexport() {
      throw new Error('never opened');
    }
  }
  return async () => ({ Gpio });
}

describe('GPIO input', () => {
  it('opens the line by its sysfs number, gives its level, and lets go of it', async () => {
    const fake = board();
    const { module, lines } = fakeOnoff(fake.root);
    const options = { activeLow: true, debounceMs: 5, loadModule: async () => module };
    const sensor = await create(fake.root, options);
    assert.deepEqual(await sensor.read(), [{ property: 'door/open', value: 0, quality: 'ok' }]);
    fake.write(VALUE, '1\n');
    assert.deepEqual(await sensor.read(), [{ property: 'door/open', value: 1, quality: 'ok' }]);
    assert.equal(lines[0]?.sysfsNumber, 529);
    assert.deepEqual(lines[0]?.options, { activeLow: true, debounceTimeout: 5 });
    sensor.close?.();
    assert.equal(lines[0]?.exported, false);
  });

  it('counts the edges between readings, and reports that it could not', async () => {
    const fake = board();
    const { module, lines } = fakeOnoff(fake.root);
    const sensor = await create(fake.root, { edges: 'rising', loadModule: async () => module });
    const edges = async () => (await sensor.read())[1];
    const property = 'door/open-edges';
    for (let i = 0; i < 3; i++) lines[0]?.edge();
    assert.equal(lines[0]?.edges, 'rising');
    assert.deepEqual(await edges(), { property, value: 3, quality: 'ok' });
    assert.deepEqual(await edges(), { property, value: 0, quality: 'ok' });
    lines[0]?.edge(new Error('lost'));
    assert.deepEqual(await edges(), { property, value: null, quality: 'gap', problem: 'lost' });
    assert.deepEqual(await edges(), { property, value: 0, quality: 'ok' });
  });

  it('says how to build the native part where it does not load', async () => {
    const missing = async () => {
      throw new Error('Could not locate the bindings file. Tried:\n -> /x\n -> /y');
    };
    const { exit, text } = await problem(missing);
    assert.equal(exit, 78);
    assert.match(text, /^gpio-module-missing: [^\n]*npm rebuild epoll --ignore-scripts=false$/);
  });

  it('loads the installed onoff, or says how to build it', async (t) => {
    const built = await import('onoff').then(
      () => true,
      () => false,
    );
    if (built) return t.skip('epoll is built on this machine');
    assert.match((await problem(undefined)).text, /^gpio-module-missing: .*bindings/);
  });

  it('has a sentence for each refusal of the kernel', async () => {
    const what = 'sensors: GPIO line 17 of pinctrl-rp1 \\(sysfs 529\\)';
    const told = async (code: string) => (await problem(refusing(code))).text;
    assert.match(await told('EINVAL'), new RegExp(`^gpio-line-refused: ${what}: the kernel knows`));
    assert.match(await told('EBUSY'), /gpioinfo shows which: free it or take another$/);
    assert.match(await told('ENOENT'), /JetPack 5 names it otherwise/);
    assert.match(await told('EIO'), /EIO: write; the kernel log/);
  });

  it('leaves it to a new start where permissions may not be settled yet', async () => {
    const { exit, text } = await problem(refusing('EACCES'));
    assert.equal(exit, 1);
    assert.match(text, /^gpio-permission: .*the group that owns/);
  });

  it('does not load anything on a board without sysfs GPIO', async () => {
    const { text } = await problem(refusing('EINVAL'), fakeRoot().root);
    assert.match(text, /^gpio-no-sysfs/);
  });
});
