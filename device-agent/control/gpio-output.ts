import { configurationError } from '#runtime/process/program-error.ts';
import { type GpioLineQuery, resolveGpioLine } from '../sensors/gpio-chip.ts';
import { type Actuator, notALevel, toLevel } from './actuator.ts';

/** What is used of one line of npm's `onoff`. */
export interface GpioOutput {
  write(level: 0 | 1): Promise<void>;
  writeSync(level: 0 | 1): void;
  unexport(): void;
}

/** What is used of npm's `onoff`. */
export interface GpioOutputModule {
  readonly Gpio: new (
    sysfsNumber: number,
    direction: 'low' | 'high',
    edge: 'none',
    options: { activeLow: boolean },
  ) => GpioOutput;
}

export interface GpioOutputOptions extends GpioLineQuery {
  readonly property: string;
  readonly activeLow: boolean;
  readonly loadModule?: (() => Promise<GpioOutputModule>) | undefined;
}

/**
 * One GPIO line as an output, through sysfs; off from the start, and off again when disposed of.
 *
 * Errors (exit 78): those of {@link resolveGpioLine}, `gpio-module-missing`, `gpio-line-refused`.
 */
export async function createGpioOutput(options: GpioOutputOptions): Promise<Actuator> {
  const { property, activeLow, loadModule = loadOnoff } = options;
  const line = resolveGpioLine(options);
  const module = await loaded(loadModule);
  const output = openLine(module, { sysfsNumber: line.sysfsNumber, activeLow, name: line.chip });
  return {
    property,
    async set(value) {
      const level = toLevel(value);
      if (level === undefined) return notALevel;
      await output.write(level);
      return { kind: 'done' };
    },
    [Symbol.dispose]() {
      output.writeSync(0);
      output.unexport();
    },
  };
}

async function loadOnoff(): Promise<GpioOutputModule> {
  return await import('onoff');
}

async function loaded(load: () => Promise<GpioOutputModule>): Promise<GpioOutputModule> {
  try {
    return await load();
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw configurationError(
      'gpio-module-missing',
      `actuators: GPIO needs npm's onoff with its native part epoll, which does not load here ` +
        `(${reason}); on the board run: npm rebuild epoll --ignore-scripts=false`,
      cause,
    );
  }
}

function openLine(
  { Gpio }: GpioOutputModule,
  { sysfsNumber, activeLow, name }: { sysfsNumber: number; activeLow: boolean; name: string },
): GpioOutput {
  try {
    // The direction "low" is the electrical level: the output must not blink as it becomes one.
    return new Gpio(sysfsNumber, activeLow ? 'high' : 'low', 'none', { activeLow });
  } catch (cause) {
    throw configurationError(
      'gpio-line-refused',
      `actuators: GPIO sysfs ${sysfsNumber} of ${name}: ${(cause as Error).message}; check that ` +
        'this user may use it and that nothing else holds it (gpioinfo)',
      cause,
    );
  }
}
