import { z } from 'zod';
import type { JsonObject, JsonValue } from '#shared/twin/document/json.ts';
import type { QueryParameter } from './query-parameter.ts';
import type { Content, Method, Operation, Route } from './route.ts';
import { errorSchema } from './schemas.ts';

const PARAMETER = /\{(\w+)(\+?)\}/g;

/**
 * The API as an OpenAPI 3.1 document, made of the routes that answer it and of the schemas they
 * check by. A parameter that may have slashes, which OpenAPI has no way to say, is described so.
 */
export function openApiDocument(routes: readonly Route[], needsToken: boolean): JsonObject {
  const schemas = new SchemaCollection();
  const paths = routes.map(({ path, operations }) => [
    path.replaceAll('+}', '}'),
    {
      parameters: pathParameters(path),
      ...Object.fromEntries(
        (Object.entries(operations) as [Method, Operation][]).map(([method, operation]) => [
          method.toLowerCase(),
          describe(operation, schemas),
        ]),
      ),
    },
  ]);
  return {
    openapi: '3.1.1',
    info: {
      title: 'DITEN edge node',
      version: '2',
      description:
        "Digital twins in Eclipse Ditto's dialect. What a bare path answers, every node of the " +
        'network does: it asks the one that hosts the twin.',
    },
    servers: [{ url: '/' }],
    security: [...(needsToken ? [] : [{}]), { bearer: [] }, { basic: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: "The token's name, and the token." },
      },
      schemas: schemas.all(),
    },
  };
}

function pathParameters(path: string): JsonObject[] {
  return [...path.matchAll(PARAMETER)].map(([, name, open]) => ({
    ...{ name: name!, in: 'path', required: true, schema: { type: 'string' } },
    ...(open === '' ? {} : { description: 'One or more segments, with slashes between them.' }),
  }));
}

function describe(operation: Operation, schemas: SchemaCollection): JsonObject {
  const { id, summary, role, query = [], body, answers } = operation;
  const responses = Object.entries(answers).map(([status, { description, content }]) => [
    status,
    { description, ...(content === undefined ? {} : { content: schemas.content(content) }) },
  ]);
  const error = schemas.content({ 'application/json': errorSchema });
  return {
    operationId: id,
    summary,
    description: `For tokens of role ${role}${role === 'read' ? ' or write' : ''}.`,
    ...(query.length === 0 ? {} : { parameters: query.map((each) => inQuery(each, schemas)) }),
    ...(body === undefined
      ? {}
      : {
          requestBody: { required: !body.optional, content: schemas.content(body.content) },
        }),
    responses: {
      ...Object.fromEntries(responses),
      default: { description: 'Refused: what is wrong, and the mend.', content: error },
    },
  };
}

function inQuery(
  { name, description, schema }: QueryParameter,
  schemas: SchemaCollection,
): JsonObject {
  return { name, in: 'query', description, schema: schemas.schema(schema) };
}

/** JSON schemas of what zod checks; those with an id are written once, and referred to. */
class SchemaCollection {
  readonly #named = new Map<string, JsonValue>();

  content(content: Content): JsonObject {
    return Object.fromEntries(
      Object.entries(content).map(([type, schema]) => [type, { schema: this.schema(schema) }]),
    );
  }

  schema(schema: z.ZodType): JsonValue {
    const text = JSON.stringify(
      z.toJSONSchema(schema, {
        io: 'input',
        unrepresentable: 'any',
        override: ({ jsonSchema }) => {
          // The format says it, in less than a line.
          if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
        },
      }),
    );
    const {
      $schema: _,
      $defs = {},
      ...plain
    } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonObject & {
      $defs?: JsonObject;
    };
    for (const [name, each] of Object.entries($defs)) this.#named.set(name, each);
    return plain;
  }

  all(): JsonObject {
    return Object.fromEntries([...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
