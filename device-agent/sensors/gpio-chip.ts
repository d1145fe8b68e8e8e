import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configurationError } from '#runtime/process/program-error.ts';
import { listEntries, readNumber, tryReadAttribute } from './sysfs.ts';

/** Header chips by device-tree compatible, best first: Pi 5, Pi 4, Pi 3 and Zero 2, Orin. */
const HEADER_COMPATIBLES = [
  'raspberrypi,rp1-gpio',
  'brcm,bcm2711-gpio',
  'brcm,bcm2835-gpio',
  'nvidia,tegra234-gpio',
];
/** The same by label, for kernels without a device tree in sysfs. */
const HEADER_LABELS = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835', 'tegra234-gpio'];

export interface GpioLineQuery {
  readonly root: string;
  /** The line's number on its chip: BCM 17 is 17. */
  readonly line: number;
  /** Device-tree compatible or label of another chip than the header's. */
  readonly chip?: string | undefined;
}

export interface GpioLine {
  readonly chip: string;
  readonly line: number;
  /** What the kernel's sysfs interface calls the line. */
  readonly sysfsNumber: number;
}

interface Chip {
  readonly label: string;
  readonly compatibles: readonly string[];
  readonly base: number;
  readonly lines: number;
}

/**
 * The sysfs number of a line. Bases move from kernel to kernel and so do the chips' indexes: the
 * chip is found by its device-tree compatible, then by its label.
 *
 * Errors (exit 78): `gpio-no-sysfs`, `gpio-chip-not-found`, `gpio-line-out-of-range`.
 */
export function resolveGpioLine({ root, line, chip: wanted }: GpioLineQuery): GpioLine {
  const folder = join(root, 'class/gpio');
  requireSysfsGpio(root, folder);
  const chips = listEntries(folder, /^gpiochip\d+$/).map((entry) => readChip(join(folder, entry)));
  const chip = wanted === undefined ? headerChip(chips) : namedChip(chips, wanted);
  if (chip === undefined) {
    const labels = chips.map(({ label }) => label).join(', ') || 'none';
    throw configurationError(
      'gpio-chip-not-found',
      `sensors: no ${wanted === undefined ? 'known header' : `single ${wanted}`} GPIO chip in ` +
        `${folder} (found: ${labels}); set chip to the label of the one meant`,
    );
  }
  if (line < 0 || line >= chip.lines) {
    throw configurationError(
      'gpio-line-out-of-range',
      `sensors: GPIO line ${line} is not on ${chip.label}, which has 0 to ${chip.lines - 1}; ` +
        'give the number on the chip (BCM), not the header pin or the sysfs number',
    );
  }
  return { chip: chip.label, line, sysfsNumber: chip.base + line };
}

function requireSysfsGpio(root: string, folder: string): void {
  if (existsSync(join(folder, 'export'))) return;
  const hasChips = listEntries(join(root, 'bus/gpio/devices'), /^gpiochip\d+$/).length > 0;
  throw configurationError(
    'gpio-no-sysfs',
    hasChips
      ? `sensors: this kernel has GPIO but not through ${folder} (Ubuntu for Raspberry Pi, ` +
          'JetPack 6 and newer kernels leave it out); use a kernel with CONFIG_GPIO_SYSFS=y, as ' +
          'Raspberry Pi OS has, or remove this sensor'
      : `sensors: this machine has no GPIO (no ${folder}); remove this sensor`,
  );
}

function readChip(folder: string): Chip {
  return {
    label: tryReadAttribute(join(folder, 'label')) ?? '',
    compatibles: (tryReadAttribute(join(folder, 'device/of_node/compatible')) ?? '')
      .split('\0')
      .filter((name) => name !== ''),
    base: readNumber(join(folder, 'base')),
    lines: readNumber(join(folder, 'ngpio')),
  };
}

function headerChip(chips: readonly Chip[]): Chip | undefined {
  const byCompatible = HEADER_COMPATIBLES.map((name) =>
    chips.find(({ compatibles }) => compatibles.includes(name)),
  );
  const byLabel = HEADER_LABELS.map((name) => chips.find(({ label }) => label === name));
  return [...byCompatible, ...byLabel].find((chip) => chip !== undefined);
}

/** A name that several chips bear picks none of them. */
function namedChip(chips: readonly Chip[], name: string): Chip | undefined {
  const matching = chips.filter(
    ({ label, compatibles }) => label === name || compatibles.includes(name),
  );
  return matching.length === 1 ? matching[0] : undefined;
}
