import { z } from 'zod';
import { ok } from '../../basics/result.ts';
import { nameSchema } from '../../wire/names.ts';
import { barOf } from './devices.ts';
import { contractEntry, reject } from './rule.ts';
import { change, readState } from './state.ts';

export const twinContract = {
  /** The edge node that signs takes the device's twin; whoever had it sees a higher epoch. */
  'twin.place': contractEntry({
    body: z.strictObject({
      device: nameSchema,
      /** The edge node that takes it, by its name. */
      edge: nameSchema,
      /** One more than the last; 1 for the first place. */
      epoch: z.int().min(1),
    }),
    signedBy: ['node'],
    rule: (view, { device, edge, epoch }, { signer }) => {
      if (signer.name !== edge) {
        return reject('not-permitted', `"${edge}" takes a twin itself, "${signer.name}" signed`);
      }
      const refusal = barOf(view, device);
      if (refusal !== undefined) return refusal;
      const next = (readState(view, 'twin', device)?.epoch ?? 0) + 1;
      if (epoch !== next) {
        return reject('epoch-not-next', `the place is of epoch ${epoch}, the next is ${next}`);
      }
      return ok(new Map([change('twin', device, { edge, epoch })]));
    },
  }),
};
