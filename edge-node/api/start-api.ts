import type { DataFolder } from '#runtime/database/data-folder.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import type { PeerNetwork } from '#runtime/peers/peer-network.ts';
import { isLoopback } from '#runtime/process/loopback-only.ts';
import type { EdgeConfig } from '../edge-config.ts';
import { answerForwarded } from '../forwarding/answer-forwarded.ts';
import { Access } from './access/access.ts';
import { type ApiOptions, createApi } from './api.ts';

export interface StartApiOptions extends Omit<ApiOptions, 'access' | 'group' | 'twinsMax'> {
  readonly config: EdgeConfig;
  readonly folder: DataFolder;
  readonly network: PeerNetwork;
}

/** Serves the API as the configuration says. Errors (exit 78): of tokens and of the listener. */
export async function startApi(options: StartApiOptions): Promise<HttpServer> {
  const { config, folder, events } = options;
  const { group, http, api, twins } = config;
  const tokens = api.tokens ?? folder.file(TOKEN_FILE);
  const isOpen = api.open && isLoopback(http.host);
  const access = new Access({ tokens, isOpen, events });
  const served = createApi({ ...options, group, twinsMax: twins.max, access });
  if (options.forwarder !== undefined) {
    const { edges } = options.forwarder;
    answerForwarded({ network: options.network, edges, api: served, clock: options.clock });
  }
  return await serveHttp(served.fetch, { ...http, isGuarded: access.hasTokens && !isOpen });
}

/** Where the tokens are among a node's data. */
export const TOKEN_FILE = 'api-tokens.json';
