import { isBasicDatatype } from '../datatype.ts';
import { isUint32 } from './metric-rules.ts';
import type { MetricView, ParameterView, TemplateView } from './payload-view.ts';
import { isOneOf } from './property-rules.ts';
import type { Heard } from './replay.ts';
import { births, each, firstFault, label, type Rule, type Verdict } from './rule.ts';

const everything = () => true;

/** Templates and their parameters: specification, 4.2.1.1.2, 6.4.14 and 6.4.15. */
export const templateRules: readonly Rule[] = [
  templateRule(
    'Every template says whether it is a definition',
    ['6.4.14 payloads-template-is-definition'],
    ({ template }) => typeof template.isDefinition === 'boolean' || 'it has no is_definition',
  ),
  templateRule(
    'A template without template_ref has is_definition true',
    [
      '6.4.14 payloads-template-definition-is-definition',
      '6.4.14 payloads-template-is-definition-definition',
    ],
    ({ template }) => {
      if (template.reference !== undefined) return undefined;
      return template.isDefinition === true || 'it has neither template_ref nor is_definition true';
    },
  ),
  templateRule(
    'A template with template_ref has is_definition false',
    [
      '6.4.14 payloads-template-instance-is-definition',
      '6.4.14 payloads-template-is-definition-instance',
    ],
    ({ template }) => {
      if (template.reference === undefined) return undefined;
      return template.isDefinition === false || 'it has template_ref, and not is_definition false';
    },
  ),
  templateRule(
    'A definition has no template_ref',
    ['6.4.14 payloads-template-definition-ref', '6.4.14 payloads-template-ref-definition'],
    ({ template }) => {
      if (template.isDefinition !== true) return undefined;
      return template.reference === undefined || 'it is a definition and has template_ref';
    },
  ),
  templateRule(
    'An instance has template_ref, a string',
    ['6.4.14 payloads-template-instance-ref', '6.4.14 payloads-template-ref-instance'],
    ({ template }) => {
      if (template.isDefinition !== false) return undefined;
      return (template.reference ?? '') !== '' || 'it is an instance without template_ref';
    },
  ),
  templateRule(
    'Definitions are in NBIRTH only',
    ['6.4.14 payloads-template-definition-nbirth-only'],
    ({ template, message }) => {
      if (template.isDefinition !== true) return undefined;
      return message.verb === 'NBIRTH' || `there is a definition in ${message.verb}`;
    },
  ),
  templateRule(
    'What an instance in a birth refers to is defined in the NBIRTH',
    ['6.4.14 payloads-template-definition-nbirth'],
    hasDefinition,
    births,
  ),
  templateRule(
    'What any instance refers to is defined in the NBIRTH',
    ['4.2.1.1.2 topics-nbirth-templates'],
    hasDefinition,
  ),
  templateRule(
    'An instance has no members but those of its definition',
    ['6.4.14 payloads-template-definition-members', '6.4.14 payloads-template-instance-members'],
    ({ template, definition }) => {
      if (definition === undefined) return undefined;
      const known = new Set(definition.members.map(({ name }) => name));
      return firstFault(
        template.members,
        (member) =>
          member.name === undefined || known.has(member.name) || `${label(member)} is not defined`,
      );
    },
  ),
  templateRule(
    'An instance has no parameters but those of its definition',
    ['6.4.14 payloads-template-definition-parameters'],
    ({ template, definition }) => {
      if (definition === undefined) return undefined;
      const known = new Set(definition.parameters.map(({ name }) => name));
      return firstFault(
        template.parameters,
        ({ name }) => known.has(name) || `its parameter ${name} is not defined`,
      );
    },
  ),
  templateRule(
    'An instance in a birth has every member of its definition',
    ['6.4.14 payloads-template-instance-members-birth'],
    ({ template, definition }) => {
      if (definition === undefined) return undefined;
      const own = new Set(template.members.map(({ name }) => name));
      return firstFault(
        definition.members,
        (member) => own.has(member.name) || `it lacks the member ${label(member)}`,
      );
    },
    births,
  ),
  templateRule(
    'The version of a template is a string',
    ['6.4.14 payloads-template-version'],
    ({ template: { version } }) => {
      return version === undefined ? undefined : version !== null || 'its version is no string';
    },
  ),
  parameterRule(
    'Every parameter has a name',
    ['6.4.15 payloads-template-parameter-name-required'],
    ({ name }) => (name !== undefined && name !== '') || 'a parameter has no name',
  ),
  parameterRule(
    'The name of a parameter is a string',
    ['6.4.15 payloads-template-parameter-name-type'],
    ({ name }) => (name === undefined ? undefined : name !== null || 'a name is no string'),
  ),
  parameterRule(
    'The type of a parameter is an unsigned integer of 32 bits',
    ['6.4.15 payloads-template-parameter-value-type'],
    ({ type }) => isUint32(type),
  ),
  parameterRule(
    'The type of a parameter is a basic one',
    ['6.4.15 payloads-template-parameter-type-value'],
    ({ type }) => {
      if (type === undefined) return undefined;
      return isOneOf(type, isBasicDatatype) || `a parameter has type ${type}`;
    },
  ),
  parameterRule(
    'Every parameter of a definition has a type',
    ['6.4.15 payloads-template-parameter-type-req'],
    ({ type }, { template }) => {
      if (template.isDefinition !== true) return undefined;
      return type !== undefined || 'a parameter has no type';
    },
  ),
  parameterRule(
    'The value of a parameter is a number, a boolean or a string',
    ['6.4.15 payloads-template-parameter-value'],
    ({ value }) =>
      value === undefined ? undefined : value.kind !== 'extension' || 'a value is none of them',
  ),
];

/** A template where it stands. */
interface Occurrence {
  readonly template: TemplateView;
  readonly message: Heard;
  /** What an instance refers to, if the NBIRTH has it. */
  readonly definition: TemplateView | undefined;
}

function templateRule(
  says: string,
  ids: readonly string[],
  judge: (occurrence: Occurrence) => Verdict,
  concerns: (message: Heard) => boolean = everything,
): Rule {
  const check = each(concerns, (message) =>
    firstFault(message.payload?.metrics ?? [], (metric) => {
      const verdict = firstFault(templatesOf(metric), (template) =>
        judge({ template, message, definition: definitionFor(template, message) }),
      );
      return typeof verdict === 'string' ? `metric ${label(metric)}: ${verdict}` : verdict;
    }),
  );
  return { applies: 'edge', needs: 'messages', says, ids, check };
}

function parameterRule(
  says: string,
  ids: readonly string[],
  judge: (parameter: ParameterView, occurrence: Occurrence) => Verdict,
): Rule {
  return templateRule(says, ids, (occurrence) =>
    firstFault(occurrence.template.parameters, (parameter) => judge(parameter, occurrence)),
  );
}

function* templatesOf({ value }: MetricView): Generator<TemplateView> {
  if (value?.kind !== 'template') return;
  yield value.value;
  for (const member of value.value.members) yield* templatesOf(member);
}

function definitionFor(template: TemplateView, message: Heard): TemplateView | undefined {
  if (typeof template.reference !== 'string') return undefined;
  const birth = message.verb === 'NBIRTH' ? message : message.birth;
  const value = birth?.definitions?.byName.get(template.reference)?.value;
  return value?.kind === 'template' && value.value.isDefinition === true ? value.value : undefined;
}

function hasDefinition({ template, message, definition }: Occurrence): Verdict {
  const { reference } = template;
  if (typeof reference !== 'string') return undefined;
  if (message.verb !== 'NBIRTH' && message.birth === undefined) return undefined;
  return definition !== undefined || `there is no definition of ${reference} in the NBIRTH`;
}
