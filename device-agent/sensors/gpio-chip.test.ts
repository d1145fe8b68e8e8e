import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgramError } from '#runtime/process/program-error.ts';
import { fakeRoot } from './fake-root.fixture.ts';
import { chipFiles } from './gpio.fixture.ts';
import { resolveGpioLine } from './gpio-chip.ts';

function problem(root: string, line: number, chip?: string): string {
  try {
    resolveGpioLine({ root, line, chip });
  } catch (error) {
    assert.ok(error instanceof ProgramError);
    assert.equal(error.exit, 78);
    return `${error.code}: ${error.message.replace(root, '')}`;
  }
  throw new Error('was resolved');
}

const firmware = chipFiles(566, 'raspberrypi-exp-gpio', ['raspberrypi,firmware-gpio']);

describe('GPIO chip', () => {
  it('adds the base of the header chip, wherever the kernel put it', () => {
    for (const base of [0, 399, 458, 512, 569, 571]) {
      const chip = chipFiles(base, 'pinctrl-rp1', ['raspberrypi,rp1-gpio']);
      const { root } = fakeRoot({ ...firmware, ...chip });
      assert.equal(resolveGpioLine({ root, line: 17 }).sysfsNumber, base + 17);
    }
  });

  it('goes by the compatible before the label', () => {
    const { root } = fakeRoot({
      ...chipFiles(100, 'pinctrl-bcm2835'),
      ...chipFiles(512, 'renamed', ['vendor,board-gpio', 'brcm,bcm2711-gpio']),
    });
    assert.deepEqual(resolveGpioLine({ root, line: 4 }), {
      chip: 'renamed',
      line: 4,
      sysfsNumber: 516,
    });
  });

  it('goes by the label where there is no device tree', () => {
    const { root } = fakeRoot({ ...firmware, ...chipFiles(458, 'pinctrl-bcm2835') });
    assert.equal(resolveGpioLine({ root, line: 0 }).sysfsNumber, 458);
  });

  it('takes another chip by its name, where that is of one chip only', () => {
    const { root } = fakeRoot({
      ...chipFiles(504, '9030000.pl061', ['arm,pl061', 'arm,primecell']),
      ...chipFiles(400, '9040000.pl061', ['arm,pl061', 'arm,primecell']),
    });
    assert.equal(resolveGpioLine({ root, line: 3, chip: '9030000.pl061' }).sysfsNumber, 507);
    assert.match(
      problem(root, 3, 'arm,pl061'),
      /^gpio-chip-not-found: .*no single arm,pl061 .*\(found: 9040000.pl061, 9030000.pl061\)/,
    );
    assert.match(problem(root, 3), /no known header GPIO chip .*set chip to the label/);
  });

  it('refuses a line the chip does not have', () => {
    const { root } = fakeRoot(chipFiles(512, 'pinctrl-rp1'));
    assert.equal(resolveGpioLine({ root, line: 53 }).sysfsNumber, 565);
    assert.match(problem(root, 54), /^gpio-line-out-of-range: .*has 0 to 53; give the number on/);
  });

  it('says so where the kernel has GPIO but not through sysfs, and where there is none', () => {
    const modern = fakeRoot({ 'bus/gpio/devices/gpiochip0/uevent': '' });
    assert.match(
      problem(modern.root, 4),
      /^gpio-no-sysfs: .*use a kernel with CONFIG_GPIO_SYSFS=y/,
    );
    assert.match(problem(fakeRoot().root, 4), /^gpio-no-sysfs: .*no GPIO .*remove this sensor/);
  });
});
