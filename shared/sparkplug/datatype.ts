/** The data types of Sparkplug B by their number on the wire (Sparkplug 3.0, 6.4.16). */
export const datatypes = [
  ...(['Unknown', 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'UInt16', 'UInt32'] as const),
  ...(['UInt64', 'Float', 'Double', 'Boolean', 'String', 'DateTime', 'Text', 'UUID'] as const),
  ...(['DataSet', 'Bytes', 'File', 'Template', 'PropertySet', 'PropertySetList'] as const),
  ...(['Int8Array', 'Int16Array', 'Int32Array', 'Int64Array', 'UInt8Array'] as const),
  ...(['UInt16Array', 'UInt32Array', 'UInt64Array', 'FloatArray', 'DoubleArray'] as const),
  ...(['BooleanArray', 'StringArray', 'DateTimeArray'] as const),
] as const;
export type Datatype = (typeof datatypes)[number];

/** What stands in a data set's column and a template's parameter: numbers 1 to 14. */
const LAST_BASIC = 14;

export function datatypeCode(type: Datatype): number {
  return datatypes.indexOf(type);
}

/** `undefined` where the number is none of the specification's. */
export function datatypeOf(code: number): Datatype | undefined {
  return datatypes[code];
}

/** Whether it is one of the specification's basic types, `Unknown` left out: it holds nothing. */
export function isBasicDatatype(type: Datatype): boolean {
  const code = datatypeCode(type);
  return code >= 1 && code <= LAST_BASIC;
}

/** Whether a property may have it: the basic types, sets of properties and lists of these. */
export function isPropertyDatatype(type: Datatype): boolean {
  return isBasicDatatype(type) || type === 'PropertySet' || type === 'PropertySetList';
}
