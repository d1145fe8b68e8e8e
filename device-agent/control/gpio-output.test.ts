import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fakeRoot } from '../sensors/fake-root.fixture.ts';
import { chipFiles } from '../sensors/gpio.fixture.ts';
import { createGpioOutput, type GpioOutputModule } from './gpio-output.ts';

/** Does as `onoff` over a fake root: levels go to gpioN/value. */
function fakeOnoff(root: { write(path: string, text: string): void }) {
  const opened: unknown[][] = [];
  class Gpio {
    readonly #number: number;
    constructor(...options: ConstructorParameters<GpioOutputModule['Gpio']>) {
      opened.push(options);
      this.#number = options[0];
      this.writeSync(0);
    }
    async write(level: 0 | 1): Promise<void> {
      this.writeSync(level);
    }
    writeSync(level: 0 | 1): void {
      root.write(`class/gpio/gpio${this.#number}/value`, `${level}`);
    }
    unexport(): void {
      opened.push(['unexport', this.#number]);
    }
  }
  return { opened, loadModule: async (): Promise<GpioOutputModule> => ({ Gpio }) };
}

describe('GPIO output', () => {
  const property = 'warning/output';

  it('sets the line of the chip that the board has, and leaves it off', async () => {
    const root = fakeRoot(chipFiles(512, 'pinctrl-rp1'));
    const { opened, loadModule } = fakeOnoff(root);
    const level = () => readFileSync(join(root.root, 'class/gpio/gpio529/value'), 'utf8');
    {
      const line = { root: root.root, line: 17, property, activeLow: true, loadModule };
      using output = await createGpioOutput(line);
      assert.deepEqual(await output.set(true), { kind: 'done' });
      assert.equal(level(), '1');
      assert.deepEqual(await output.set(0), { kind: 'done' });
      assert.equal(level(), '0');
      const refused = await output.set('bright');
      assert.equal(refused.kind === 'refused' && refused.code, 400);
      await output.set(1);
    }
    assert.equal(level(), '0');
    assert.deepEqual(opened, [
      [529, 'high', 'none', { activeLow: true }],
      ['unexport', 529],
    ]);
  });

  it('says what is wrong with a line or the module', async () => {
    const root = fakeRoot(chipFiles(0, 'pinctrl-rp1'));
    const line = { root: root.root, line: 17, property, activeLow: false };
    const loadModule = () => Promise.reject(new Error('no epoll'));
    await assert.rejects(createGpioOutput({ ...line, loadModule }), {
      code: 'gpio-module-missing',
      exit: 78,
    });
    class Gpio {
      constructor() {
        throw new Error('EBUSY');
      }
      write = async () => undefined;
      writeSync = () => undefined;
      unexport = () => undefined;
    }
    await assert.rejects(createGpioOutput({ ...line, loadModule: async () => ({ Gpio }) }), {
      code: 'gpio-line-refused',
      exit: 78,
    });
  });
});
