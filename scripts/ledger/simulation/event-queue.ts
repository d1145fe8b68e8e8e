interface Entry<T> {
  readonly atTick: number;
  readonly order: number;
  readonly event: T;
}

/** Events by their tick, and of one tick in the order they were added: a binary heap. */
export interface EventQueue<T> {
  add(atTick: number, event: T): void;
  /** The next event, or undefined where none is left. */
  take(): { readonly atTick: number; readonly event: T } | undefined;
}

export function createEventQueue<T>(): EventQueue<T> {
  const heap: Entry<T>[] = [];
  let added = 0;

  function isBefore(a: number, b: number): boolean {
    const [left, right] = [heap[a]!, heap[b]!];
    return left.atTick < right.atTick || (left.atTick === right.atTick && left.order < right.order);
  }

  function swap(a: number, b: number): void {
    const held = heap[a]!;
    heap[a] = heap[b]!;
    heap[b] = held;
  }

  return {
    add(atTick, event) {
      heap.push({ atTick, order: added++, event });
      let index = heap.length - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (!isBefore(index, parent)) return;
        swap(index, parent);
        index = parent;
      }
    },
    take() {
      const first = heap[0];
      const last = heap.pop();
      if (first === undefined || last === undefined || heap.length === 0) return first;
      heap[0] = last;
      let index = 0;
      for (;;) {
        let least = index;
        for (const child of [2 * index + 1, 2 * index + 2]) {
          if (child < heap.length && isBefore(child, least)) least = child;
        }
        if (least === index) return first;
        swap(index, least);
        index = least;
      }
    },
  };
}
