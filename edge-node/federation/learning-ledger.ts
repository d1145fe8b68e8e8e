import type { Failure, Result } from '#shared/basics/result.ts';
import type { Digest } from '#shared/identity/digest.ts';
import type { KeyId } from '#shared/identity/keys.ts';
import type { BodyOf } from '#shared/ledger/contract/contract-table.ts';
import type { ModelVersion } from '#shared/ledger/contract/models.ts';
import { readState, type StateView } from '#shared/ledger/contract/state.ts';
import type { StagedBlock } from '#shared/ledger/execute-block.ts';
import type { TransactionContent } from '#shared/ledger/transaction.ts';

/** What federation and twins need of the ledger. */
export interface LearningLedger {
  /** This node, as the ledger's members know it. */
  readonly node: { readonly name: string; readonly keyId: KeyId };
  /** As the newest block left it. */
  readonly state: StateView;
  /** Signs as this node; resolves once the transaction is in a block, whatever came of it. */
  submit(content: TransactionContent): Promise<Result<{ readonly outcome: string }, Failure>>;
  /** Calls the handler after each block is durable, in order. */
  onCommit(handler: (committed: Pick<StagedBlock, 'block' | 'outcomes'>) => void): void;
}

/** What of a block had an effect. */
export function acceptedOf({
  block,
  outcomes,
}: Pick<StagedBlock, 'block' | 'outcomes'>): TransactionContent[] {
  return block.transactions
    .filter((_, index) => outcomes[index] === 'accepted')
    .map(({ transaction }) => transaction);
}

export type ModelUpdate = BodyOf<'model.update'>;

/** Submits, and throws where the ledger did not accept it. */
export async function record(ledger: LearningLedger, content: TransactionContent): Promise<void> {
  const submitted = await ledger.submit(content);
  if (!submitted.ok) throw new Error(`${submitted.error.code}: ${submitted.error.message}`);
  const { outcome } = submitted.value;
  if (outcome !== 'accepted') throw new Error(`the ledger refused a ${content.type}: ${outcome}`);
}

/** The task that was defined last, or taken up again. */
export function currentTask(state: StateView): Digest | undefined {
  return readState(state, 'current', 'task');
}

/** The newest version of a task's model. */
export function newestVersion(state: StateView, task: Digest): ModelVersion | undefined {
  const latest = readState(state, 'task', task)?.latest;
  return latest ? readState(state, 'version', `${task}/${latest.digest}`) : undefined;
}

/** A task's versions, the newest first. */
export function* versionsOf(state: StateView, task: Digest): Generator<ModelVersion> {
  let version = newestVersion(state, task);
  while (version !== undefined) {
    yield version;
    const [parent] = version.parents;
    version = parent && readState(state, 'version', `${task}/${parent}`);
  }
}
