import { exitCode, ProgramError } from '#runtime/process/program-error.ts';
import type { JsonValue } from '#shared/twin/document/json.ts';

const THINGS = '/api/2/things';

export interface TwinRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: JsonValue;
}

/** One event of a stream of the API. */
export interface TwinEvent {
  readonly id: string;
  readonly data: JsonValue;
}

/** An edge node's HTTP API as a command sees it: what is refused ends the command. */
export class TwinClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  #group: string | undefined;

  /** @param url - Of the edge node, `http://host:port`. */
  constructor({ url, token }: { url: string; token?: string }) {
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      throw new ProgramError('url-invalid', `--url: ${url} is no URL; give http://host:port`, {
        exit: exitCode.usage,
      });
    }
    this.#url = url.replace(/\/+$/, '');
    this.#headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  }

  /** The path of a thing, given its id or the device's name alone, and of a part of it. */
  async thingPath(id: string, part = ''): Promise<string> {
    const thingId = id.includes(':') ? id : `${await this.#groupOfNode()}:${id}`;
    const keys = part.split('/').filter((key) => key !== '');
    return [THINGS, encodeURIComponent(thingId), ...keys.map(encodeURIComponent)].join('/');
  }

  /**
   * What the API answers. Errors: `edge-unreachable`, `request-refused` with the API's own code and
   * the mend.
   */
  async ask(path: string, request: TwinRequest = {}): Promise<JsonValue> {
    const response = await this.#fetch(path, request);
    const text = await response.text();
    return text === '' ? null : (JSON.parse(text) as JsonValue);
  }

  /** The events of a stream until it ends. Errors: as {@link ask}. */
  async *events(path: string): AsyncGenerator<TwinEvent> {
    const response = await this.#fetch(path, { headers: { Accept: 'text/event-stream' } });
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = `${text}${chunk}`.split('\n\n');
      text = parts.pop()!;
      for (const part of parts) {
        const [, id, data] = /^id:(.*)\ndata:(.*)$/.exec(part) ?? [];
        if (id !== undefined) yield { id, data: JSON.parse(data!) as JsonValue };
      }
    }
  }

  async #fetch(path: string, { method = 'GET', headers = {}, body }: TwinRequest) {
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
    let response: Response;
    try {
      response = await fetch(`${this.#url}${path}`, {
        method,
        headers: { ...this.#headers, ...type, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      const reason = ((cause as Error).cause as Error | undefined)?.message ?? String(cause);
      throw new ProgramError(
        'edge-unreachable',
        `--url: no edge node answers at ${this.#url} (${reason}); start one, or give its URL`,
        { cause },
      );
    }
    if (response.ok) return response;
    throw await refusal(response);
  }

  async #groupOfNode(): Promise<string> {
    this.#group ??= ((await this.ask('/status')) as { group: string }).group;
    return this.#group;
  }
}

async function refusal(response: Response): Promise<ProgramError> {
  const body = (await response.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
  const { error = response.status, message = response.statusText, description = '' } = body;
  return new ProgramError('request-refused', `${error}: ${message} ${description}`.trim());
}
