import type { Datatype } from './datatype.ts';
import type { MetricTable } from './edge-metrics.ts';
import type { Template } from './metric.ts';

/**
 * Whether the templates that are current values fit each other: instances have a definition among
 * the metrics of the edge node, and all of its members; definitions stand nowhere else.
 * `device` are the metrics of one device, looked at instead of the edge node's own.
 *
 * Returns what is wrong, if anything.
 */
export function checkTemplates(node: MetricTable, device?: MetricTable): string | undefined {
  for (const { definition, current } of (device ?? node).values()) {
    if (definition.datatype !== 'Template' || current.value === null) continue;
    const template = current.value as Template;
    const wrong =
      untyped(template) ??
      (template.definition === undefined
        ? device && 'is a definition, which only the edge node itself can publish'
        : checkInstance(node, template, 'birth'));
    if (wrong !== undefined) return `the template ${definition.name} ${wrong}`;
  }
  return undefined;
}

function untyped({ metrics, parameters }: Template): string | undefined {
  const isTyped = (each: { name?: string; datatype?: Datatype }) =>
    each.name !== undefined && each.datatype !== undefined;
  if (metrics.every(isTyped) && parameters.every(isTyped)) return undefined;
  return 'has members or parameters without name or data type, which a birth must state';
}

/**
 * Whether an instance has only members and parameters of its definition, and in a birth all its
 * members. Returns what is wrong, if anything.
 */
export function checkInstance(
  node: MetricTable,
  instance: Template,
  message: 'birth' | 'data',
): string | undefined {
  const definition = node.get(instance.definition ?? '')?.current.value as Template | undefined;
  if (definition?.metrics === undefined || definition.definition !== undefined) {
    return `refers to ${instance.definition ?? 'nothing'}, which the edge node does not define`;
  }
  const names = new Set(definition.metrics.map(({ name }) => name));
  const foreign = instance.metrics.find(({ name }) => !names.has(name));
  if (foreign !== undefined) return `has the member ${foreign.name}, its definition has not`;
  if (message === 'birth' && instance.metrics.length < names.size) {
    return 'lacks members of its definition';
  }
  const parameters = new Set(definition.parameters.map(({ name }) => name));
  const other = instance.parameters.find(({ name }) => !parameters.has(name));
  return other && `has the parameter ${other.name}, its definition has not`;
}
