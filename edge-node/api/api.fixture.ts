import type { Clock } from '#runtime/clock/clock.ts';
import { systemClock } from '#runtime/clock/system-clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { fail } from '#shared/basics/result.ts';
import { TwinStore } from '../twins/twin-store.ts';
import { Access } from './access/access.ts';
import { type ApiOptions, createApi } from './api.ts';

/** Lets everybody do everything. */
export function openAccess(): Access {
  const events = createEvents(silentLog, systemClock);
  return new Access({ tokens: '/nowhere', isOpen: true, events });
}

/** Of a node of the group `lab`, with no twins and devices that take no commands unless given. */
export function apiOptions(given: Partial<ApiOptions> & { clock: Clock }): ApiOptions {
  return {
    twins: given.twins ?? new TwinStore(':memory:', { group: 'lab', nowMs: 0 }),
    commands: { send: () => fail('too-many-commands', 'no device in this test') },
    group: 'lab',
    twinsMax: 100,
    events: createEvents(silentLog, given.clock),
    access: openAccess(),
    status: () => ({ node: 'edge-1', group: 'lab' }),
    ...given,
  };
}

/** Serves the API of such a node on a free port. */
export function serveTwins(given: Partial<ApiOptions> & { clock: Clock }): Promise<HttpServer> {
  return serveHttp(createApi(apiOptions(given)).fetch, { host: '127.0.0.1', port: 0 });
}
