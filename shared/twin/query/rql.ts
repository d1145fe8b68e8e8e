import { formatPointer } from '../document/json-pointer.ts';

export const comparisons = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const;
export type Comparison = (typeof comparisons)[number];

export type RqlValue = string | number | boolean | null;

/** A query of Eclipse Ditto's RQL as a tree; `property` is the keys of a path into the thing. */
export type RqlCondition =
  | {
      readonly kind: Comparison;
      readonly property: readonly string[];
      readonly value: RqlValue;
    }
  | {
      readonly kind: 'in';
      readonly property: readonly string[];
      readonly values: readonly RqlValue[];
    }
  | {
      readonly kind: 'like' | 'ilike';
      readonly property: readonly string[];
      /** `*` stands for any text, `?` for any one character. */
      readonly pattern: string;
    }
  | { readonly kind: 'exists' | 'empty'; readonly property: readonly string[] }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RqlCondition[] }
  | { readonly kind: 'not'; readonly part: RqlCondition };

/** The text that is read as this condition. */
export function formatRql(condition: RqlCondition): string {
  const { kind } = condition;
  switch (kind) {
    case 'and':
    case 'or':
      return `${kind}(${condition.parts.map(formatRql).join(',')})`;
    case 'not':
      return `not(${formatRql(condition.part)})`;
    case 'exists':
    case 'empty':
      return `${kind}(${formatProperty(condition.property)})`;
    case 'in':
      return `in(${[formatProperty(condition.property), ...condition.values.map(formatValue)]})`;
    case 'like':
    case 'ilike':
      return `${kind}(${formatProperty(condition.property)},${formatValue(condition.pattern)})`;
    default:
      return `${kind}(${formatProperty(condition.property)},${formatValue(condition.value)})`;
  }
}

/** A property as it stands in RQL: without the first slash, and with what would end it escaped. */
export function formatProperty(keys: readonly string[]): string {
  return formatPointer(keys)
    .slice(1)
    .replaceAll(/[,)"\\\s]/g, (character) => {
      if (character === '"' || character === '\\') return `\\${character}`;
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
}

function formatValue(value: RqlValue): string {
  return JSON.stringify(value);
}
