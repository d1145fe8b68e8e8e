import { mutantsOf } from './mutant.ts';

/** What a shell must do besides: here in the simulated one, to see that the simulation notices. */
export const SHELL_MUTANTS = [
  ...mutantsOf('scripts/ledger/simulation/replica.ts', [
    ['log: the input is not written', "      this.disk.write({ kind: 'input', input });\n", ''],
    [
      'log: a start begins afresh',
      'for (const input of inputs) {',
      'for (const input of inputs.slice(0, 0)) {',
    ],
    [
      'shell: takes votes that nobody signed',
      'return simulatedSignatures.vote(message.vote) ? message : undefined;',
      'return message;',
    ],
    [
      'shell: takes proposals that nobody signed',
      'if (!simulatedSignatures.proposal(proposal)) return undefined;',
      '',
    ],
    [
      'shell: takes certificates unchecked',
      'return checked.ok ? message : undefined;',
      'return message;',
    ],
    ['shell: tells nobody what it has decided', 'this.#sendDecision(height, from);', 'return;'],
    ['shell: never sends again', 'this.#world.broadcast(this, messagesToResend(this.#state));', ''],
  ]),
  ...mutantsOf('scripts/ledger/simulation/simulated-disk.ts', [
    [
      'log: nothing is synced',
      '      synced = records.length;\n    },\n    crash',
      '    },\n    crash',
    ],
    ['log: a torn record is not cut off', 'if (end >= 0) records = records.slice(0, end);', ''],
    [
      'log: a decided height begins again',
      '      decisions.push(record.decision);',
      '      if (inputs.length === 0) decisions.push(record.decision);',
    ],
  ]),
];
