import { lengthDelimited } from './protobuf-fields.ts';

/** What the exporter says an initialiser is. */
export type InitialiserRole = 'parameter' | 'constant';

/** Numbers of the fields of onnx.proto that lead to the notes on a value. */
const field = { modelGraph: 7, graphValues: 13, valueName: 1, valueNotes: 4, key: 1, value: 2 };

/** PARAMETER, BUFFER, CONSTANT_TENSOR, ... (torch.export, InputKind) */
const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';
/** Of a value worked out at export: the names of all it was made of, as a Python list. */
const FOLDED = 'pkg.onnxscript.optimizer.folded_from';
/** What the exporter names numbers of its own; a parameter has the name it has in the module. */
const OWN_NAME = /^(val_\d+|lifted_tensor_\d+)$/;

/**
 * The initialisers of which PyTorch's exporter (`dynamo=True`) notes what they are, by name.
 * Parameters are marked as such. A buffer, a value made of nothing but the exporter's own numbers,
 * and an unmarked one under a name that the exporter gives are constants of the model's arithmetic.
 * Nothing is said of others, nor of any in a file without these marks. The message classes know an
 * onnx.proto older than IR version 10 and drop the notes, so they are read from the bytes here.
 */
export function initialiserRoles(
  bytes: Uint8Array,
  names: Iterable<string>,
): Map<string, InitialiserRole> {
  const notes = valueNotes(bytes);
  const roles = new Map<string, InitialiserRole>();
  const isMarked = [...notes.values()].some((own) => own.get(KIND) === 'PARAMETER');
  if (!isMarked) return roles;
  for (const name of names) {
    const kind = notes.get(name)?.get(KIND);
    const folded = notes.get(name)?.get(FOLDED);
    if (kind !== undefined) roles.set(name, kind === 'PARAMETER' ? 'parameter' : 'constant');
    else if (folded === undefined ? OWN_NAME.test(name) : isOfOwnNumbers(folded)) {
      roles.set(name, 'constant');
    }
  }
  return roles;
}

/** Whether a name is one that the exporter gives to values of its own making. */
export function isExporterName(name: string): boolean {
  return OWN_NAME.test(name);
}

function isOfOwnNumbers(list: string): boolean {
  const names = [...list.matchAll(/'([^']*)'/g)].map(([, name]) => name!);
  return names.length > 0 && names.every((name) => OWN_NAME.test(name));
}

function valueNotes(bytes: Uint8Array): Map<string, Map<string, string>> {
  const text = (parts: Uint8Array[] = []) => new TextDecoder().decode(parts.at(-1));
  const notes = new Map<string, Map<string, string>>();
  const graph = lengthDelimited(bytes).get(field.modelGraph)?.at(-1);
  if (graph === undefined) return notes;
  for (const info of lengthDelimited(graph).get(field.graphValues) ?? []) {
    const fields = lengthDelimited(info);
    const entries = (fields.get(field.valueNotes) ?? []).map((entry) => {
      const pair = lengthDelimited(entry);
      return [text(pair.get(field.key)), text(pair.get(field.value))] as const;
    });
    notes.set(text(fields.get(field.valueName)), new Map(entries));
  }
  return notes;
}
