import { z } from 'zod';
import { fail, ok, type Result } from '../../basics/result.ts';
import { checkJson, isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import type { ThingRejection } from './thing-step.ts';

/** As in the paths of the control plane. */
const NAME_LENGTH_MAX = 128;
const REASON_LENGTH_MAX = 200;

export interface ContentFeature {
  readonly definition?: readonly string[];
  readonly properties: JsonObject;
  readonly desiredProperties: JsonObject;
}

export interface Content {
  readonly definition?: string;
  readonly attributes: JsonObject;
  readonly features: Readonly<Record<string, ContentFeature>>;
}

export const jsonObjectSchema = z
  .custom<JsonObject>(isJsonObject, 'expected an object')
  .meta({ type: 'object' });
export const definitionSchema = z.string().min(1).max(1024);
export const featureSchema = z.strictObject({
  definition: z.array(definitionSchema).min(1).max(16).optional(),
  properties: jsonObjectSchema.default({}),
  desiredProperties: jsonObjectSchema.default({}),
});
export const contentSchema = z.strictObject({
  thingId: z.string().optional(),
  definition: definitionSchema.nullish().transform((definition) => definition ?? undefined),
  attributes: jsonObjectSchema.nullish().transform((attributes) => attributes ?? {}),
  features: jsonObjectSchema.nullish().transform((features) => features ?? {}),
});

/**
 * Reads a thing's content after an edit, or says what of it is not Ditto's thing, or is too much.
 * What is reported is bounded property by property, so that no device keeps others from editing.
 */
export function parseContent(value: JsonValue, thingId: string): Result<Content, ThingRejection> {
  const parsed = contentSchema.safeParse(value);
  if (!parsed.success) return invalid('', parsed.error);
  if (parsed.data.thingId !== undefined && parsed.data.thingId !== thingId) {
    return fail('thing-invalid', `thingId is not ${thingId}; a thing keeps its id`);
  }
  const features = new Map<string, ContentFeature>();
  for (const [name, each] of Object.entries(parsed.data.features)) {
    const feature = featureSchema.safeParse(each ?? {});
    if (!feature.success) return invalid(`features/${name}/`, feature.error);
    const { definition, properties, desiredProperties } = feature.data;
    const wrong = [name, ...Object.keys(properties), ...Object.keys(desiredProperties)].find(
      (key) => key.length > NAME_LENGTH_MAX || key === '*',
    );
    if (wrong !== undefined) {
      const shown = wrong.slice(0, 40);
      return fail('thing-invalid', `${shown}: names have 1 to 128 characters and are not *`);
    }
    features.set(name, {
      ...(definition === undefined ? {} : { definition }),
      properties,
      desiredProperties,
    });
  }
  const { definition, attributes } = parsed.data;
  const edited = [...features].map(([name, { desiredProperties }]) => [name, desiredProperties]);
  const size = checkJson([attributes, Object.fromEntries(edited)]);
  if (!size.ok) return size;
  return ok({
    ...(definition === undefined ? {} : { definition }),
    attributes,
    features: Object.fromEntries(features),
  });
}

function invalid(where: string, error: z.ZodError): Result<never, ThingRejection> {
  const { path, message } = error.issues[0]!;
  const reason = `${where}${path.join('/')}: ${message}`.slice(0, REASON_LENGTH_MAX);
  return fail('thing-invalid', `not a thing of Ditto's shape: ${reason}`);
}
