import { dropRules } from '#shared/twin/sample-stream.ts';
import type { DeviceAccount } from './accounting.ts';
import { table } from './trial-report.ts';

/** Accounts as a person reads them, a line a device; what was dropped by rule where some was. */
export function deliveryTable(devices: readonly DeviceAccount[]): string {
  const rules = dropRules.filter((rule) => devices.some(({ drops }) => drops[rule] !== undefined));
  const dropped = rules.length === 0 ? ['dropped'] : rules.map((rule) => `dropped ${rule}`);
  return table(
    ['device', 'produced', 'committed', ...dropped, 'waiting', 'missing', 'duplicated'],
    devices.map(({ id, produced, committed, drops, waiting, missing, duplicated }) => [
      ...[id, produced, committed],
      ...(rules.length === 0 ? [0] : rules.map((rule) => drops[rule] ?? 0)),
      ...[waiting, missing, duplicated],
    ]),
  );
}
