import tahu from 'sparkplug-payload/lib/sparkplugPayloadProto.js';

/** A 64-bit integer in two halves; protobuf.js takes and gives such objects. */
export interface Long64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

/** The `oneof value` of metrics, properties, parameters and cells; each has a part of these. */
export interface ValueProto {
  intValue?: number;
  longValue?: Long64;
  floatValue?: number;
  doubleValue?: number;
  booleanValue?: boolean;
  stringValue?: string;
  bytesValue?: Uint8Array;
  datasetValue?: DataSetProto;
  templateValue?: TemplateProto;
  propertysetValue?: PropertySetProto;
  propertysetsValue?: { propertyset: PropertySetProto[] };
}

export interface MetricProto extends ValueProto {
  name?: string;
  alias?: Long64;
  timestamp?: Long64;
  datatype?: number;
  isHistorical?: boolean;
  isTransient?: boolean;
  isNull?: boolean;
  metadata?: MetaDataProto;
  properties?: PropertySetProto;
}

export interface MetaDataProto {
  isMultiPart?: boolean;
  contentType?: string;
  size?: Long64;
  seq?: Long64;
  fileName?: string;
  fileType?: string;
  md5?: string;
  description?: string;
}

export interface PropertySetProto {
  keys: string[];
  values: PropertyProto[];
}

export interface PropertyProto extends ValueProto {
  type?: number;
  isNull?: boolean;
}

export interface DataSetProto {
  numOfColumns?: Long64;
  columns: string[];
  types: number[];
  rows: { elements: ValueProto[] }[];
}

export interface TemplateProto {
  version?: string;
  metrics: MetricProto[];
  parameters: ParameterProto[];
  templateRef?: string;
  isDefinition?: boolean;
}

export interface ParameterProto extends ValueProto {
  name?: string;
  type?: number;
}

export interface PayloadProto {
  timestamp?: Long64;
  metrics: MetricProto[];
  seq?: Long64;
  uuid?: string;
  body?: Uint8Array;
}

/** What is used of the class protobuf.js generated. */
interface PayloadClass {
  encode(message: PayloadProto): { finish(): Uint8Array };
  decode(bytes: Uint8Array): PayloadProto;
}

const PayloadMessage = tahu.org.eclipse.tahu.protobuf.Payload as unknown as PayloadClass;

/** Fields go out in the order of their numbers: the same message always gives the same bytes. */
export function encodeProto(message: PayloadProto): Uint8Array {
  return new Uint8Array(PayloadMessage.encode(message).finish());
}

/**
 * Fields the message did not set are on the prototype only: {@link present} tells. Throws where the
 * bytes are not protobuf.
 */
export function decodeProto(bytes: Uint8Array): PayloadProto {
  return PayloadMessage.decode(bytes);
}

/** The field's value where the message set it. */
export function present<T extends object, K extends keyof T>(message: T, key: K): T[K] | undefined {
  return Object.hasOwn(message, key) ? (message[key] ?? undefined) : undefined;
}

export function toLong64(value: bigint): Long64 {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return { low, high, unsigned: true };
}

export function fromLong64({ low, high }: Long64): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
