import { datatypeOf, isBasicDatatype, isPropertyDatatype } from '../datatype.ts';
import { isUint32 } from './metric-rules.ts';
import type { DatasetView, MetricView, PropertySetView, PropertyView } from './payload-view.ts';
import type { Seen } from './protobuf-fields.ts';
import type { Heard } from './replay.ts';
import { births, eachMetric, firstFault, type Rule, type Verdict } from './rule.ts';

const INT32 = 3n;
const QUALITY_CODES: readonly bigint[] = [0n, 192n, 500n];

const everything = () => true;

/** Property sets and data sets: specification, 6.4.8 to 6.4.13. */
export const propertyRules: readonly Rule[] = [
  propertySetRule(
    'A property set has as many values as keys',
    ['6.4.8 payloads-propertyset-keys-array-size', '6.4.8 payloads-propertyset-values-array-size'],
    ({ keys, values }) =>
      keys.length === values.length || `${keys.length} keys and ${values.length} values`,
  ),
  propertyRule(
    'The type of a property is an unsigned integer of 32 bits',
    ['6.4.9 payloads-metric-propertyvalue-type-type'],
    ({ type }) => isUint32(type),
  ),
  propertyRule(
    'The type of a property is a basic one, PropertySet or PropertySetList',
    ['6.4.9 payloads-metric-propertyvalue-type-value'],
    ({ type }) => {
      if (type === undefined) return undefined;
      return isOneOf(type, isPropertyDatatype) || `a property has type ${type}`;
    },
  ),
  propertyRule(
    'Every property in a birth has a type',
    ['6.4.9 payloads-metric-propertyvalue-type-req'],
    ({ type }) => type !== undefined || 'a property has no type',
    births,
  ),
  qualityRule(
    'The type of a Quality is Int32',
    '6.4.9.1 payloads-propertyset-quality-value-type',
    ({ type }) => type === undefined || type === INT32 || `the type of its Quality is ${type}`,
  ),
  qualityRule(
    'The value of a Quality is an integer of 32 bits: 0, 192 or 500',
    '6.4.9.1 payloads-propertyset-quality-value-value',
    ({ value }) => {
      const code = value?.kind === 'int' ? value.value : undefined;
      return (
        QUALITY_CODES.some((known) => known === code) || `its Quality is ${code ?? 'no integer'}`
      );
    },
  ),
  datasetRule(
    'A data set has its number of columns as an unsigned integer, and it is right',
    ['6.4.11 payloads-dataset-column-size'],
    ({ columnCount, columns }) =>
      columnCount === BigInt(columns.length) ||
      `it says ${columnCount} of ${columns.length} columns`,
  ),
  datasetRule(
    'A data set has as many types as columns',
    ['6.4.11 payloads-dataset-column-num-headers', '6.4.11 payloads-dataset-types-num'],
    ({ columns, types }) =>
      columns.length === types.length || `${columns.length} columns and ${types.length} types`,
  ),
  datasetRule(
    'A data set has types',
    ['6.4.11 payloads-dataset-parameter-type-req'],
    ({ columns, types }) => types.length > 0 || columns.length === 0 || 'it has no types',
  ),
  datasetRule(
    'The types of a data set are unsigned integers of 32 bits',
    ['6.4.11 payloads-dataset-types-def', '6.4.11 payloads-dataset-types-type'],
    ({ types }) => firstFault(types, isUint32),
  ),
  datasetRule(
    'The types of a data set are basic ones',
    ['6.4.11 payloads-dataset-types-value'],
    ({ types }) =>
      firstFault(types, (type) => isOneOf(type, isBasicDatatype) || `a column has type ${type}`),
  ),
  datasetRule(
    'The cells of a data set are numbers, booleans or strings',
    ['6.4.13 payloads-template-dataset-value'],
    ({ rows }) =>
      firstFault(rows.flat(), (cell) =>
        cell === undefined ? undefined : cell.kind !== 'extension' || 'a cell is none of them',
      ),
  ),
];

/** Whether it is a type of the specification's for which `test` holds. */
export function isOneOf(
  type: Seen<bigint>,
  test: (datatype: NonNullable<ReturnType<typeof datatypeOf>>) => boolean,
): boolean {
  const datatype = typeof type === 'bigint' ? datatypeOf(Number(type)) : undefined;
  return datatype !== undefined && test(datatype);
}

function propertySetRule(
  says: string,
  ids: readonly string[],
  judge: (properties: PropertySetView) => Verdict,
): Rule {
  const check = eachMetric(everything, (metric) => firstFault(propertySetsOf(metric), judge));
  return { applies: 'both', needs: 'messages', says, ids, check };
}

function propertyRule(
  says: string,
  ids: readonly string[],
  judge: (property: PropertyView) => Verdict,
  concerns: (message: Heard) => boolean = everything,
): Rule {
  const check = eachMetric(concerns, (metric) =>
    firstFault(propertySetsOf(metric), ({ values }) => firstFault(values, judge)),
  );
  return { applies: 'both', needs: 'messages', says, ids, check };
}

function qualityRule(says: string, id: string, judge: (quality: PropertyView) => Verdict): Rule {
  return propertySetRule(says, [id], ({ keys, values }) => {
    const quality = values[keys.indexOf('Quality')];
    return quality === undefined ? undefined : judge(quality);
  });
}

function datasetRule(
  says: string,
  ids: readonly string[],
  judge: (dataset: DatasetView) => Verdict,
): Rule {
  const check = eachMetric(everything, (metric) => firstFault(datasetsOf(metric), judge));
  return { applies: 'both', needs: 'messages', says, ids, check };
}

/** The metric's own properties and all within them, and those of a template's members. */
function* propertySetsOf(metric: MetricView): Generator<PropertySetView> {
  if (metric.properties !== undefined) yield* withNested(metric.properties);
  for (const member of membersOf(metric)) yield* propertySetsOf(member);
}

function* withNested(properties: PropertySetView): Generator<PropertySetView> {
  yield properties;
  for (const { value } of properties.values) {
    if (value?.kind !== 'properties' && value?.kind !== 'property-sets') continue;
    for (const nested of value.value) yield* withNested(nested);
  }
}

function* datasetsOf(metric: MetricView): Generator<DatasetView> {
  if (metric.value?.kind === 'dataset') yield metric.value.value;
  for (const member of membersOf(metric)) yield* datasetsOf(member);
}

function membersOf({ value }: MetricView): readonly MetricView[] {
  return value?.kind === 'template' ? value.value.members : [];
}
