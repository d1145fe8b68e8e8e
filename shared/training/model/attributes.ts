import { AttributeProto, type GraphProto, type NodeProto, type TensorProto } from './onnx-proto.ts';

/** What a node's attribute can be set to here; ONNX tells `1` from `1.0`, so the kind is said. */
type AttributeValue =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly graph: GraphProto };

export type Attributes = Readonly<Record<string, AttributeValue>>;

const { INT, FLOAT, INTS, FLOATS, STRING, STRINGS, GRAPH } = AttributeProto.AttributeType;

export function attributesToProto(attributes: Attributes): AttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => {
    if ('int' in value) return AttributeProto.create({ name, type: INT, i: value.int });
    if ('float' in value) return AttributeProto.create({ name, type: FLOAT, f: value.float });
    if ('ints' in value) return AttributeProto.create({ name, type: INTS, ints: [...value.ints] });
    if ('floats' in value) {
      return AttributeProto.create({ name, type: FLOATS, floats: [...value.floats] });
    }
    if ('string' in value) {
      return AttributeProto.create({
        name,
        type: STRING,
        s: new TextEncoder().encode(value.string),
      });
    }
    if ('strings' in value) {
      const strings = value.strings.map((text) => new TextEncoder().encode(text));
      return AttributeProto.create({ name, type: STRINGS, strings });
    }
    return AttributeProto.create({ name, type: GRAPH, g: value.graph });
  });
}

/** The value of an integer attribute, or its default where the node leaves it out. */
export function intAttribute(node: NodeProto, name: string, fallback: number): number {
  const attribute = find(node, name);
  return attribute === undefined ? fallback : Number(attribute.i);
}

/** The value of a float attribute, or its default where the node leaves it out. */
export function floatAttribute(node: NodeProto, name: string, fallback: number): number {
  return find(node, name)?.f ?? fallback;
}

/** The value of a list of integers; `undefined` where the node leaves it out. */
export function intsAttribute(node: NodeProto, name: string): number[] | undefined {
  return find(node, name)?.ints?.map(Number);
}

/** The value of a text attribute, or its default where the node leaves it out. */
export function stringAttribute(node: NodeProto, name: string, fallback: string): string {
  const bytes = find(node, name)?.s;
  return bytes === undefined || bytes === null ? fallback : new TextDecoder().decode(bytes);
}

/** The values of a list of texts; `undefined` where the node leaves it out. */
export function stringsAttribute(node: NodeProto, name: string): string[] | undefined {
  return find(node, name)?.strings?.map((bytes) => new TextDecoder().decode(bytes));
}

/** The graphs a node runs inside itself (If, Loop, Scan). */
export function nodeSubgraphs(node: NodeProto): GraphProto[] {
  return attributesOf(node).flatMap(({ g, graphs }) =>
    [...(g ? [g] : []), ...(graphs ?? [])].map((graph) => graph as GraphProto),
  );
}

/** The tensors a node carries in attributes (Constant). */
export function nodeTensors(node: NodeProto): TensorProto[] {
  return attributesOf(node).flatMap(({ t, tensors }) =>
    [...(t ? [t] : []), ...(tensors ?? [])].map((tensor) => tensor as TensorProto),
  );
}

function attributesOf(node: NodeProto): AttributeProto[] {
  return node.attribute as AttributeProto[];
}

function find(node: NodeProto, name: string): AttributeProto | undefined {
  return attributesOf(node).find((attribute) => attribute.name === name);
}
