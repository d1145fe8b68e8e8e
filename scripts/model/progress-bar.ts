interface ProgressLine {
  /** `share` from 0 to 1. */
  show(share: number, note: string): void;
  end(): void;
}

const WIDTH = 30;

/** A bar that redraws itself on a terminal; elsewhere a line at each tenth of the way. */
export function startProgress(stream: NodeJS.WriteStream): ProgressLine {
  let tenths = 0;
  let hasDrawn = false;
  return {
    show(share, note) {
      const percent = `${Math.floor(share * 100)} %`.padStart(5);
      if (stream.isTTY) {
        const filled = Math.floor(share * WIDTH);
        const bar = '='.repeat(filled).padEnd(WIDTH, '.');
        stream.write(`\r[${bar}] ${percent}  ${note}\u001b[K`);
        hasDrawn = true;
      } else if (Math.floor(share * 10) > tenths) {
        tenths = Math.floor(share * 10);
        stream.write(`${percent}  ${note}\n`);
      }
    },
    end() {
      if (hasDrawn) stream.write('\n');
    },
  };
}
