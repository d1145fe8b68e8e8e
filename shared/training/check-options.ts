import { ok, type Result } from '../basics/result.ts';
import type { LossOptions } from './losses.ts';
import { refuse, type TrainingFailure } from './training-failure.ts';
import type { UpdateOptions } from './update-step.ts';

interface NumericOption {
  readonly name: string;
  readonly value: number | undefined;
  readonly rule: keyof typeof rules;
}

const rules = {
  'more than 0': (value: number) => value > 0,
  '0 or more': (value: number) => value >= 0,
  'from 0 to below 1': (value: number) => value >= 0 && value < 1,
} as const;

/** Whether the numbers among the options make sense. Errors: `option-invalid`. */
export function checkOptions(
  loss: LossOptions,
  { optimiser, clipping, exampleClipping }: UpdateOptions,
): Result<undefined, TrainingFailure> {
  const share = 'from 0 to below 1';
  const numeric: NumericOption[] = [
    { name: 'weightDecay', value: optimiser.weightDecay, rule: '0 or more' },
    { name: 'clipping.max', value: clipping?.max, rule: 'more than 0' },
    { name: 'exampleClipping.normMax', value: exampleClipping?.normMax, rule: 'more than 0' },
  ];
  if (loss.kind === 'huber')
    numeric.push({ name: 'delta', value: loss.delta, rule: 'more than 0' });
  if ('momentum' in optimiser) {
    numeric.push({ name: 'momentum', value: optimiser.momentum, rule: share });
  }
  if (optimiser.kind === 'adam' || optimiser.kind === 'adamw') {
    const { beta1, beta2, epsilon } = optimiser;
    numeric.push({ name: 'beta1', value: beta1, rule: share });
    numeric.push({ name: 'beta2', value: beta2, rule: share });
    numeric.push({ name: 'epsilon', value: epsilon, rule: 'more than 0' });
  }
  const wrong = numeric.find(
    ({ value, rule }) => value !== undefined && !(Number.isFinite(value) && rules[rule](value)),
  );
  if (wrong === undefined) return ok(undefined);
  return refuse('option-invalid', `${wrong.name} is ${wrong.value}; give a number ${wrong.rule}`);
}
