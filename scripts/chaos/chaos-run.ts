import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, type FaultKind, faultKinds } from './fault-plan.ts';
import type { Field } from './field.ts';
import { inject, partsOf } from './inject.ts';

/** A kind of fault that this machine does not allow. */
export interface Skipped {
  readonly kind: FaultKind;
  readonly reason: string;
}

export interface Injected {
  /** How often each kind happened. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly skipped: readonly Skipped[];
}

export interface RunHooks {
  readonly stop: AbortSignal;
  onFault(fault: Fault, device: string): void;
}

/**
 * Makes the planned faults happen at their times, several at once where they are about different
 * parts; one that must wait for another comes later. Resolves when all are over.
 */
export async function runFaults(
  field: Field,
  plan: readonly Fault[],
  { stop, onFault }: RunHooks,
): Promise<Injected> {
  const startMs = performance.now();
  const counts = new Map<FaultKind, number>(faultKinds.map((kind) => [kind, 0]));
  const skipped = new Map<FaultKind, string>();
  const busy = new Map<string, Promise<void>>();
  const running: Promise<void>[] = [];
  for (const fault of plan) {
    const waitMs = startMs + fault.atMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    const parts = conflicts(fault, field.devices.length);
    const free = Promise.all(parts.map((part) => busy.get(part)));
    const done = free.then(async () => {
      if (stop.aborted) return;
      onFault(fault, field.devices[fault.device]!.id);
      try {
        await inject(field, fault);
        counts.set(fault.kind, counts.get(fault.kind)! + 1);
      } catch (error) {
        skipped.set(fault.kind, (error as Error).message.trim());
      }
    });
    for (const part of parts) busy.set(part, done);
    running.push(done);
  }
  await Promise.all(running);
  return {
    faults: Object.fromEntries(counts) as Record<FaultKind, number>,
    skipped: [...skipped].map(([kind, reason]) => ({ kind, reason })),
  };
}

function conflicts(fault: Fault, devices: number): string[] {
  const parts = partsOf(fault);
  if (!parts.includes('links')) return parts;
  return Array.from({ length: devices }, (_, index) => `link ${index}`);
}
