import { type Datatype, datatypeOf, isBasicDatatype, isPropertyDatatype } from './datatype.ts';
import type {
  DataSet,
  MetaData,
  Metric,
  MetricValue,
  Payload,
  PayloadFailure,
  Property,
  PropertySet,
  Template,
  TemplateParameter,
  WireValue,
} from './metric.ts';
import { readValue } from './metric-value.ts';
import {
  type DataSetProto,
  fromLong64,
  type Long64,
  type MetaDataProto,
  type MetricProto,
  type ParameterProto,
  type PayloadProto,
  type PropertyProto,
  type PropertySetProto,
  present,
  type TemplateProto,
  type ValueProto,
} from './tahu-proto.ts';

/** The last millisecond a JavaScript date reaches (ECMA-262, 21.4.1.1). */
const TIME_MS_MAX = 8.64e15;

/** From protobuf.js's objects to the domain's; keeps the first thing found wrong. */
export class PayloadReader {
  failure: PayloadFailure | undefined;

  payload(proto: PayloadProto): Payload {
    return withoutUndefined({
      timestampMs: this.#time(present(proto, 'timestamp')),
      seq: this.#number(present(proto, 'seq'), 'seq', Number.MAX_SAFE_INTEGER),
      metrics: (present(proto, 'metrics') ?? []).map((metric) => this.#metric(metric)),
      uuid: present(proto, 'uuid'),
      body: copied(present(proto, 'body')),
    });
  }

  #metric(proto: MetricProto): Metric {
    const metadata = present(proto, 'metadata');
    const properties = present(proto, 'properties');
    const rules = ['nbirth', 'dbirth'].map(
      (birth) => `tck-id-operational-behavior-data-publish-${birth}-values`,
    );
    return withoutUndefined({
      name: present(proto, 'name'),
      alias: wide(present(proto, 'alias')),
      timestampMs: this.#time(present(proto, 'timestamp')),
      datatype: this.#datatype(present(proto, 'datatype'), {
        allows: () => true,
        rule: 'tck-id-payloads-metric-datatype-value',
      }),
      isHistorical: present(proto, 'isHistorical'),
      isTransient: present(proto, 'isTransient'),
      metadata: metadata && readMetaData(metadata),
      properties: properties && this.#propertySet(properties),
      value: this.#nullable(proto, rules),
    });
  }

  #propertySet(proto: PropertySetProto): PropertySet {
    const keys = present(proto, 'keys') ?? [];
    const values = present(proto, 'values') ?? [];
    if (keys.length !== values.length) {
      this.#invalid(`a set of properties has ${keys.length} keys and ${values.length} values`, [
        'tck-id-payloads-propertyset-keys-array-size',
        'tck-id-payloads-propertyset-values-array-size',
      ]);
    }
    return values.map((value, index) => this.#property(keys[index] ?? '', value));
  }

  #property(key: string, proto: PropertyProto): Property {
    const datatype = this.#datatype(present(proto, 'type'), {
      allows: isPropertyDatatype,
      rule: 'tck-id-payloads-metric-propertyvalue-type-value',
    });
    return withoutUndefined({ key, datatype, value: this.#nullable(proto, []) });
  }

  #nullable(
    proto: ValueProto & { isNull?: boolean },
    rules: readonly string[],
  ): WireValue | null | undefined {
    const value = this.#value(proto);
    if (present(proto, 'isNull') !== true) return value;
    if (value !== undefined) this.#invalid('a value is stated to be null and given', rules);
    return null;
  }

  /** An extension's value counts as none. */
  #value(proto: ValueProto): WireValue | undefined {
    const values = this.#values(proto);
    if (values.length > 1) {
      const message = `not a Sparkplug B payload: ${values.length} values where one can be`;
      this.failure ??= { code: 'payload-malformed', message };
    }
    return values[0];
  }

  #values(proto: ValueProto): WireValue[] {
    const long = present(proto, 'longValue');
    const bytes = present(proto, 'bytesValue');
    const dataSet = present(proto, 'datasetValue');
    const template = present(proto, 'templateValue');
    const properties = present(proto, 'propertysetValue');
    const sets = present(proto, 'propertysetsValue');
    const found = [
      { kind: 'int', value: present(proto, 'intValue') },
      { kind: 'long', value: long && fromLong64(long) },
      { kind: 'float', value: present(proto, 'floatValue') },
      { kind: 'double', value: present(proto, 'doubleValue') },
      { kind: 'boolean', value: present(proto, 'booleanValue') },
      { kind: 'string', value: present(proto, 'stringValue') },
      { kind: 'bytes', value: copied(bytes) },
      { kind: 'data-set', value: dataSet && this.#dataSet(dataSet) },
      { kind: 'template', value: template && this.#template(template) },
      { kind: 'property-set', value: properties && this.#propertySet(properties) },
      { kind: 'property-sets', value: sets && this.#propertySets(sets) },
    ];
    return found.filter(({ value }) => value !== undefined) as WireValue[];
  }

  #propertySets(proto: { propertyset: PropertySetProto[] }): PropertySet[] {
    return (present(proto, 'propertyset') ?? []).map((set) => this.#propertySet(set));
  }

  #dataSet(proto: DataSetProto): DataSet {
    const columns = present(proto, 'columns') ?? [];
    const codes = present(proto, 'types') ?? [];
    const count = this.#number(present(proto, 'numOfColumns'), 'num_of_columns', 2 ** 32);
    if (count !== columns.length) {
      this.#invalid(`a data set of ${columns.length} columns says it has ${count ?? 'none'}`, [
        'tck-id-payloads-dataset-column-size',
      ]);
    }
    if (codes.length !== columns.length) {
      this.#invalid(`a data set has ${columns.length} columns and ${codes.length} types`, [
        'tck-id-payloads-dataset-column-num-headers',
        'tck-id-payloads-dataset-types-num',
        'tck-id-payloads-dataset-parameter-type-req',
      ]);
    }
    const types = codes.map((code) => {
      const rule = 'tck-id-payloads-dataset-types-value';
      return this.#datatype(code, { allows: isBasicDatatype, rule }) ?? 'Unknown';
    });
    const rows = (present(proto, 'rows') ?? []).map((row) =>
      this.#row(present(row, 'elements') ?? [], types),
    );
    return { columns, types, rows };
  }

  #row(cells: readonly ValueProto[], types: readonly Datatype[]): (MetricValue | null)[] {
    if (cells.length !== types.length) {
      this.#invalid(`a row has ${cells.length} cells for ${types.length} columns`, []);
      return [];
    }
    return cells.map((cell, column) => {
      const wire = this.#value(cell);
      if (wire === undefined) return null;
      const value = readValue(types[column]!, wire);
      if (value.ok) return value.value;
      this.failure ??= value.error;
      return null;
    });
  }

  #template(proto: TemplateProto): Template {
    const isDefinition = present(proto, 'isDefinition');
    const definition = present(proto, 'templateRef');
    if (isDefinition === undefined) {
      this.#invalid('a template does not say whether it is a definition', [
        'tck-id-payloads-template-is-definition',
      ]);
    } else if (isDefinition && definition !== undefined) {
      this.#invalid('the definition of a template refers to another', [
        'tck-id-payloads-template-definition-ref',
        'tck-id-payloads-template-ref-definition',
      ]);
    } else if (!isDefinition && definition === undefined) {
      this.#invalid('the instance of a template does not refer to its definition', [
        'tck-id-payloads-template-instance-ref',
        'tck-id-payloads-template-ref-instance',
      ]);
    }
    return withoutUndefined({
      version: present(proto, 'version'),
      definition,
      metrics: (present(proto, 'metrics') ?? []).map((metric) => this.#metric(metric)),
      parameters: (present(proto, 'parameters') ?? []).map((each) => this.#parameter(each)),
    });
  }

  #parameter(proto: ParameterProto): TemplateParameter {
    const name = present(proto, 'name');
    if (name === undefined) {
      const rule = 'tck-id-payloads-template-parameter-name-required';
      this.#invalid('a parameter of a template has no name', [rule]);
    }
    const datatype = this.#datatype(present(proto, 'type'), {
      allows: isBasicDatatype,
      rule: 'tck-id-payloads-template-parameter-type-value',
    });
    return withoutUndefined({ name: name ?? '', datatype, value: this.#value(proto) });
  }

  #datatype(
    code: number | undefined,
    { allows, rule }: { allows: (type: Datatype) => boolean; rule: string },
  ): Datatype | undefined {
    if (code === undefined) return undefined;
    const datatype = datatypeOf(code);
    if (datatype !== undefined && allows(datatype)) return datatype;
    this.#invalid(`data type ${code} does not exist, or not there`, [rule]);
    return undefined;
  }

  #time(value: Long64 | undefined): number | undefined {
    return this.#number(value, 'a timestamp', TIME_MS_MAX);
  }

  #number(value: Long64 | undefined, what: string, most: number): number | undefined {
    if (value === undefined) return undefined;
    const number = fromLong64(value);
    if (number > BigInt(most)) this.#invalid(`${what} is ${number}, beyond ${most}`, []);
    return Number(number);
  }

  #invalid(what: string, rules: readonly string[]): void {
    this.failure ??= {
      code: 'payload-invalid',
      message: `the payload breaks the Sparkplug specification: ${what}; mend its sender`,
      rules,
    };
  }
}

function readMetaData(proto: MetaDataProto): MetaData {
  return withoutUndefined({
    isMultiPart: present(proto, 'isMultiPart'),
    contentType: present(proto, 'contentType'),
    size: wide(present(proto, 'size')),
    seq: wide(present(proto, 'seq')),
    fileName: present(proto, 'fileName'),
    fileType: present(proto, 'fileType'),
    md5: present(proto, 'md5'),
    description: present(proto, 'description'),
  });
}

function wide(value: Long64 | undefined): bigint | undefined {
  return value && fromLong64(value);
}

/** Bytes of their own: protobuf.js's are a view that would keep the whole message alive. */
function copied(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && new Uint8Array(bytes);
}

function withoutUndefined<T extends object>(object: T): T {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}
