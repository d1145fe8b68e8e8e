import { z } from 'zod';
import { ok } from '../../basics/result.ts';
import { nameSchema } from '../../wire/names.ts';
import { refusalOf } from './devices.ts';
import { contractEntry, reject } from './rule.ts';
import { change, readState } from './state.ts';

/** A device's grants are read at every connection: no more than this. */
const GRANTS_MAX = 64;

/** An MQTT topic filter (3.1.1, 4.7): `+` a whole level, `#` the last one. */
const filterSchema = z
  .string()
  .max(256)
  .regex(
    /^(?:(?:\+|[^+#/\p{Cc}]*)\/){0,15}(?:\+|#|[^+#/\p{Cc}]*)$/u,
    'expected an MQTT topic filter of 16 levels at most',
  )
  .min(1);

const grantSchema = z.strictObject({
  /** The grant's own name. */
  grant: nameSchema,
  /** The device that may. */
  subject: nameSchema,
  filter: filterSchema,
  actions: z
    .array(z.enum(['publish', 'subscribe']))
    .min(1)
    .refine((actions) => actions.every((a, i) => i === 0 || actions[i - 1]! < a), 'in order, once'),
  notBeforeMs: z.int().min(0),
  notAfterMs: z.int().min(0),
});

/** What a device may publish or subscribe to, and when. */
export type Grant = z.infer<typeof grantSchema>;

export const grantContract = {
  'grant.add': contractEntry({
    body: grantSchema,
    signedBy: ['operator'],
    rule: (view, body, { timeMs }) => {
      const { grant, subject, notBeforeMs, notAfterMs } = body;
      const refusal = refusalOf(view, subject);
      if (refusal !== undefined) return refusal;
      if (readState(view, 'grant', grant) !== undefined) {
        return reject('grant-exists', `there is a grant "${grant}"; remove it first`);
      }
      if (notAfterMs <= Math.max(timeMs, notBeforeMs)) {
        return reject('grant-expired', 'the grant is over before it begins');
      }
      const held = readState(view, 'grants', subject) ?? [];
      if (held.length >= GRANTS_MAX) {
        return reject('too-many-grants', `"${subject}" has ${GRANTS_MAX} grants; remove some`);
      }
      const names = [...held, grant].sort();
      return ok(new Map([change('grant', grant, body), change('grants', subject, names)]));
    },
  }),
  'grant.remove': contractEntry({
    body: z.strictObject({ grant: nameSchema }),
    signedBy: ['operator'],
    rule: (view, { grant }) => {
      const known = readState(view, 'grant', grant);
      if (known === undefined) return reject('unknown-grant', `there is no grant "${grant}"`);
      const { subject } = known;
      const left = readState(view, 'grants', subject)!.filter((name) => name !== grant);
      return ok(
        new Map([
          change('grant', grant, undefined),
          change('grants', subject, left.length > 0 ? left : undefined),
        ]),
      );
    },
  }),
};
