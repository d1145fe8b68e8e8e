import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GpioEdges, GpioInput, GpioModule } from './gpio.ts';

interface OpenedLine {
  readonly sysfsNumber: number;
  readonly edges: GpioEdges;
  readonly options: { activeLow: boolean; debounceTimeout: number };
  exported: boolean;
  edge(error?: Error): void;
}

/** A chip as the kernel shows it in sysfs; several go into one fake root. */
export function chipFiles(
  base: number,
  label: string,
  compatibles: readonly string[] = [],
): Record<string, string> {
  const folder = `class/gpio/gpiochip${base}`;
  const tree = compatibles.map((name) => `${name}\0`).join('');
  return {
    'class/gpio/export': '',
    [`${folder}/base`]: `${base}\n`,
    [`${folder}/label`]: `${label}\n`,
    [`${folder}/ngpio`]: '54\n',
    ...(tree === '' ? {} : { [`${folder}/device/of_node/compatible`]: tree }),
  };
}

/** Does as `onoff` over a fake root: levels are read from gpioN/value, edges come from the test. */
export function fakeOnoff(root: string): { module: GpioModule; lines: OpenedLine[] } {
  const lines: OpenedLine[] = [];
  class Gpio implements GpioInput {
    readonly #line: OpenedLine;
    readonly #file: string;
    readonly #listeners: ((error: Error | undefined, value: 0 | 1) => void)[] = [];

    constructor(sysfsNumber: number, _: 'in', edges: GpioEdges, options: OpenedLine['options']) {
      const edge = (error?: Error) => {
        for (const listener of this.#listeners) listener(error, 1);
      };
      this.#file = join(root, `class/gpio/gpio${sysfsNumber}/value`);
      readFileSync(this.#file);
      this.#line = { sysfsNumber, edges, options, exported: true, edge };
      lines.push(this.#line);
    }

    async read(): Promise<0 | 1> {
      return readFileSync(this.#file, 'utf8').startsWith('1') ? 1 : 0;
    }

    watch(listener: (error: Error | undefined, value: 0 | 1) => void): void {
      this.#listeners.push(listener);
    }

    unexport(): void {
      this.#line.exported = false;
    }
  }
  return { module: { Gpio }, lines };
}
