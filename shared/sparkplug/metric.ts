import type { Failure } from '../basics/result.ts';
import type { Datatype } from './datatype.ts';

/**
 * What a message can be refused for. `payload-invalid` breaks rules of the specification, whose ids
 * (`tck-id-...`) are in `rules` where it has some.
 */
export type PayloadFailure = Failure<
  | 'payload-too-large'
  | 'payload-malformed'
  | 'payload-limit'
  | 'payload-invalid'
  /** A value does not fit its data type, or its data type is not known. */
  | 'value-mismatch'
> & { readonly rules?: readonly string[] };

/** A value as it stands in a message; what number or array it is, its data type says. */
export type WireValue =
  /** 32 bits, unsigned; negative numbers in two's complement. */
  | { readonly kind: 'int'; readonly value: number }
  /** 64 bits, unsigned; negative numbers in two's complement. */
  | { readonly kind: 'long'; readonly value: bigint }
  | { readonly kind: 'float' | 'double'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'data-set'; readonly value: DataSet }
  | { readonly kind: 'template'; readonly value: Template }
  | { readonly kind: 'property-set'; readonly value: PropertySet }
  | { readonly kind: 'property-sets'; readonly value: readonly PropertySet[] };

/**
 * A value by its data type: numbers of 8 to 32 bits and floats as `number`, numbers of 64 bits and
 * `DateTime` (milliseconds since 1970) as `bigint`, arrays as arrays of these.
 */
export type MetricValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | readonly number[]
  | readonly bigint[]
  | readonly boolean[]
  | readonly string[]
  | DataSet
  | Template
  | PropertySet
  | readonly PropertySet[];

export interface Metric {
  /** Left out of data and commands where the metric has an alias. */
  readonly name?: string;
  readonly alias?: bigint;
  /** When the value was taken, milliseconds since 1970. */
  readonly timestampMs?: number;
  /** In births; elsewhere the birth's holds. */
  readonly datatype?: Datatype;
  /** Not the current value, but one from before. */
  readonly isHistorical?: boolean;
  /** Not to be kept in a history. */
  readonly isTransient?: boolean;
  readonly metadata?: MetaData;
  readonly properties?: PropertySet;
  /** `null`: stated to be null. Absent: nothing was stated. */
  readonly value?: WireValue | null;
}

/** What a file or bytes are; all of it optional. */
export interface MetaData {
  readonly isMultiPart?: boolean;
  readonly contentType?: string;
  readonly size?: bigint;
  readonly seq?: bigint;
  readonly fileName?: string;
  readonly fileType?: string;
  readonly md5?: string;
  readonly description?: string;
}

export interface Property {
  readonly key: string;
  readonly datatype?: Datatype;
  readonly value?: WireValue | null;
}
/** In the order of the message. */
export type PropertySet = readonly Property[];

/** A table; `null` stands for a cell without a value. */
export interface DataSet {
  readonly columns: readonly string[];
  /** One for each column, basic types only. */
  readonly types: readonly Datatype[];
  readonly rows: readonly (readonly (MetricValue | null)[])[];
}

/** A definition has no `definition` of its own; an instance names the metric that is it. */
export interface Template {
  readonly version?: string;
  /** `template_ref`: absent in a definition, the definition's name in an instance. */
  readonly definition?: string;
  readonly metrics: readonly Metric[];
  readonly parameters: readonly TemplateParameter[];
}

export interface TemplateParameter {
  readonly name: string;
  readonly datatype?: Datatype;
  readonly value?: WireValue;
}

/** The message of every verb but STATE. */
export interface Payload {
  /** When it was sent, milliseconds since 1970. */
  readonly timestampMs?: number;
  /** 0 to 255 where the sender keeps to the specification. */
  readonly seq?: number;
  readonly metrics: readonly Metric[];
  readonly uuid?: string;
  readonly body?: Uint8Array;
}
