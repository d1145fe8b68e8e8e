import { configurationError, ProgramError } from '#runtime/process/program-error.ts';
import { type GpioLine, type GpioLineQuery, resolveGpioLine } from './gpio-chip.ts';
import { gap, type LiveSensor, observe, type PropertyDescriptor } from './sensor.ts';

export type GpioEdges = 'none' | 'rising' | 'falling' | 'both';

/** What is used of one line of npm's `onoff`. */
export interface GpioInput {
  read(): Promise<0 | 1>;
  watch(listener: (error: Error | null | undefined, value: 0 | 1) => void): void;
  unexport(): void;
}

/** What is used of npm's `onoff`. */
export interface GpioModule {
  readonly Gpio: new (
    sysfsNumber: number,
    direction: 'in',
    edge: GpioEdges,
    options: { activeLow: boolean; debounceTimeout: number },
  ) => GpioInput;
}

export interface GpioOptions extends GpioLineQuery {
  /** Property of the level: 0 or 1. */
  readonly property: string;
  readonly periodMs: number;
  readonly activeLow: boolean;
  /** Edges to count between readings, as a second property `...-edges`. */
  readonly edges: GpioEdges;
  /** Edges nearer to each other than this are one; 0 counts every edge. */
  readonly debounceMs: number;
  readonly loadModule?: (() => Promise<GpioModule>) | undefined;
}

/**
 * One GPIO line as an input, through sysfs.
 *
 * Errors (exit 78): those of {@link resolveGpioLine}, `gpio-module-missing`, `gpio-line-refused`; a
 * line whose permissions are not settled yet fails with `gpio-permission`, which a new start may
 * mend (exit 1).
 */
export async function createGpioSensor(options: GpioOptions): Promise<LiveSensor> {
  const { property, periodMs, edges, loadModule = loadOnoff } = options;
  const line = resolveGpioLine(options);
  const input = openLine(await loaded(loadModule), line, options);
  const level: PropertyDescriptor = { property, unit: '1', range: [0, 1] };
  const count: PropertyDescriptor = { property: `${property}-edges`, unit: '1' };
  const counter = edges === 'none' ? undefined : countEdges(input);
  return {
    kind: 'live',
    name: `gpio ${line.line}`,
    periodMs,
    properties: counter === undefined ? [level] : [level, count],
    async read() {
      const value = observe(level, await input.read());
      if (counter === undefined) return [value];
      const { edgeCount, error } = counter.take();
      return [value, error === undefined ? observe(count, edgeCount) : gap(count, error)];
    },
    close: () => input.unexport(),
  };
}

async function loadOnoff(): Promise<GpioModule> {
  return await import('onoff');
}

async function loaded(loadModule: () => Promise<GpioModule>): Promise<GpioModule> {
  try {
    return await loadModule();
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw configurationError(
      'gpio-module-missing',
      `sensors: GPIO needs npm's onoff with its native part epoll, which does not load here ` +
        `(${reason}); on the board run: npm rebuild epoll --ignore-scripts=false`,
      cause,
    );
  }
}

function openLine({ Gpio }: GpioModule, line: GpioLine, options: GpioOptions): GpioInput {
  const { edges, activeLow, debounceMs } = options;
  try {
    return new Gpio(line.sysfsNumber, 'in', edges, { activeLow, debounceTimeout: debounceMs });
  } catch (cause) {
    throw refusal(cause as NodeJS.ErrnoException, line, options.root);
  }
}

function refusal(cause: NodeJS.ErrnoException, line: GpioLine, root: string): ProgramError {
  const what = `sensors: GPIO line ${line.line} of ${line.chip} (sysfs ${line.sysfsNumber})`;
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    const mend = `add this user to the group that owns ${root}/class/gpio (gpio), and start again`;
    return new ProgramError('gpio-permission', `${what}: no permission; ${mend}`, { cause });
  }
  return configurationError('gpio-line-refused', `${what}: ${refusalSentence(cause)}`, cause);
}

function refusalSentence(cause: NodeJS.ErrnoException): string {
  switch (cause.code) {
    case 'EINVAL':
      return 'the kernel knows no such number; check that chip names the right GPIO chip';
    case 'EBUSY':
      return 'a driver or another program holds it; gpioinfo shows which: free it or take another';
    case 'ENOENT':
      return (
        'its folder did not appear under its number (JetPack 5 names it otherwise, PQ.05 for ' +
        'instance); this board needs a kernel that names lines by number'
      );
    default:
      return `${cause.message}; the kernel log (dmesg) may say more`;
  }
}

function countEdges(input: GpioInput): { take(): { edgeCount: number; error?: Error } } {
  let edgeCount = 0;
  let error: Error | undefined;
  input.watch((failure) => {
    if (failure) error = failure;
    else edgeCount += 1;
  });
  return {
    take() {
      const taken = error === undefined ? { edgeCount } : { edgeCount, error };
      edgeCount = 0;
      error = undefined;
      return taken;
    },
  };
}
