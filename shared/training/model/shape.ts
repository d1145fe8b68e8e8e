/** A tensor's dimensions; `null` where one varies from run to run, as the batch does. */
export type Shape = readonly (number | null)[];

/** The shapes of a graph's values, by name. */
export type Shapes = ReadonlyMap<string, Shape>;

/** What enters or leaves a graph; `type` is ONNX's TensorProto.DataType. */
export interface Port {
  readonly name: string;
  readonly type: number;
  readonly shape: Shape;
}
