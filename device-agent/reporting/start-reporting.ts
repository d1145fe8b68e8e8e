import type { Clock } from '#runtime/clock/clock.ts';
import type { MqttClient } from '#runtime/mqtt/mqtt-client.ts';
import type { Log } from '#runtime/observe/log.ts';
import { reportingCodec } from '#shared/wire/reporting.ts';
import { topicOf } from '#shared/wire/topics.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Reading, Sensor } from '../sensors/sensor.ts';
import { PredictorChooser } from './predictor-chooser.ts';
import { Reporter, type Step } from './reporter.ts';
import { planReporting, type ReportingRule } from './reporting-config.ts';

/** Tests of several properties gather so long before they are told. */
const GATHER_MS = 5000;

export interface ReportingParts {
  readonly sensors: readonly Sensor[];
  readonly outbox: Outbox;
  readonly mqtt: MqttClient;
  readonly group: string;
  readonly device: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Reporting extends Disposable {
  /** Puts readings into the outbox, whole or in part; throws what the outbox throws. */
  store(readings: readonly Reading[]): Pick<Step, 'measured' | 'taken'>;
  /** The same as `Reporter.beginAnew`. */
  beginAnew(properties?: Iterable<string>): void;
}

/**
 * Starts what stands between sensors and outbox: the reporter, and where a property is sent in part
 * the choice of predictors, of which the twin is told on every connection and with every change.
 * Error: that of `planReporting`.
 */
export function startReporting(rules: readonly ReportingRule[], parts: ReportingParts): Reporting {
  const { sensors, outbox, mqtt, clock, log } = parts;
  const properties = sensors.flatMap((sensor) => sensor.properties.map((each) => each.property));
  const reporter = new Reporter(planReporting(rules, properties), outbox);
  let cancelTelling: (() => void) | undefined;
  const onTest = () => {
    cancelTelling ??= clock.after(GATHER_MS, () => {
      cancelTelling = undefined;
      tell(chooser, parts);
    });
  };
  const chooser = new PredictorChooser({ reporter, outbox, clock, log, onTest });
  mqtt.onConnectionChange((connected) => {
    if (connected) tell(chooser, parts);
  });
  return {
    store(readings) {
      const step = reporter.take(readings);
      outbox.append(step.taken, step.kept);
      reporter.keep(step);
      return step;
    },
    beginAnew: (properties) => reporter.beginAnew(properties),
    [Symbol.dispose]() {
      cancelTelling?.();
      chooser[Symbol.dispose]();
    },
  };
}

function tell(
  chooser: PredictorChooser,
  { mqtt, group, device, outbox, log }: ReportingParts,
): void {
  const tests = chooser.tests();
  if (tests.length === 0 || !mqtt.connected) return;
  const message = reportingCodec.encode({ v: 1, epoch: outbox.epoch, tests });
  mqtt
    .publish(topicOf(group, device, 'reporting'), message, { qos: 1 })
    // The link went down; its return tells it.
    .catch((error: Error) => log.debug({ reason: error.message }, 'tests not told'));
}
