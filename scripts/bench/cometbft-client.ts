import { setTimeout as sleep } from 'node:timers/promises';
import { TRANSACTION_SIZE_BYTES } from './ledger-transactions.ts';

const UP_MS = 30_000;

interface Answer {
  readonly id?: number;
  readonly error?: { readonly message: string; readonly data?: string };
  readonly result?: {
    /** Of a transaction that was handed in: other than 0 where it was refused. */
    readonly code?: number;
    readonly log?: string;
    readonly data?: { readonly value?: { readonly block?: { readonly data: BlockData } } };
    readonly sync_info?: { readonly latest_block_height: string };
  };
}

interface BlockData {
  readonly txs: readonly string[] | null;
}

/** One node's JSON-RPC over a WebSocket: cheaper than an HTTP request for each transaction. */
export class CometClient {
  readonly #url: string;
  #socket: WebSocket | undefined;
  #nextId = 1;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  /** Resolved when the transaction, in base64, stands in a block of this node. */
  readonly #waiting = new Map<string, () => void>();
  #made = 0;
  #isClosed = false;

  constructor(port: number) {
    this.#url = `ws://127.0.0.1:${port}/websocket`;
  }

  /** Connects once the node is up, and asks it for its blocks. */
  async open(): Promise<void> {
    const deadlineMs = performance.now() + UP_MS;
    while (!(await this.#connect())) {
      if (this.#isClosed || performance.now() > deadlineMs)
        throw new Error(`${this.#url} does not answer`);
      await sleep(50);
    }
    await this.#call('subscribe', { query: "tm.event='NewBlock'" });
  }

  async height(): Promise<number> {
    const { sync_info } = await this.#call('status', {});
    return Number(sync_info?.latest_block_height);
  }

  /** One transaction after the other; from each one's submission to the node's block, in ms. */
  async load(inFlight: number, seconds: number): Promise<number[]> {
    const latenciesMs: number[] = [];
    const endMs = performance.now() + seconds * 1000;
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
          await this.#commit(this.#makeTransaction());
          const nowMs = performance.now();
          if (nowMs <= endMs) latenciesMs.push(nowMs - startMs);
        }
      }),
    );
    return latenciesMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }

  async #commit(transaction: string): Promise<void> {
    const committed = new Promise<void>((resolve) => this.#waiting.set(transaction, resolve));
    const { code, log } = await this.#call('broadcast_tx_sync', { tx: transaction });
    if (code !== 0) throw new Error(`${this.#url} refused a transaction: ${code} ${log}`);
    await committed;
  }

  /** `key=value` of the kvstore, in base64. */
  #makeTransaction(): string {
    this.#made += 1;
    const key = `${this.#url.replace(/\D/g, '')}-${this.#made}-${Math.random()}=`;
    return Buffer.from(key.padEnd(TRANSACTION_SIZE_BYTES, 'x')).toString('base64');
  }

  #connect(): Promise<boolean> {
    const socket = new WebSocket(this.#url);
    return new Promise((resolve) => {
      socket.onerror = () => resolve(false);
      socket.onopen = () => {
        this.#socket = socket;
        resolve(true);
      };
      socket.onmessage = ({ data }) => this.#take(JSON.parse(`${data}`) as Answer);
    });
  }

  async #call(method: string, params: object): Promise<NonNullable<Answer['result']>> {
    const id = this.#nextId++;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(id, resolve));
    this.#socket!.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    const { error, result } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message} ${error.data ?? ''}`);
    return result!;
  }

  #take(answer: Answer): void {
    const txs = answer.result?.data?.value?.block?.data.txs;
    for (const transaction of txs ?? []) {
      this.#waiting.get(transaction)?.();
      this.#waiting.delete(transaction);
    }
    if (txs !== undefined || answer.id === undefined) return;
    this.#answers.get(answer.id)?.(answer);
    this.#answers.delete(answer.id);
  }
}
