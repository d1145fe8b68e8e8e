import type { Clock } from '#runtime/clock/clock.ts';
import { type HttpServer, serveHttp } from '#runtime/http/serve-http.ts';
import { createEvents } from '#runtime/observe/events.ts';
import { silentLog } from '#runtime/observe/log.ts';
import { fail } from '#shared/basics/result.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { createApi } from './api.ts';

interface ServedTwins {
  /** Of the group `lab`. */
  readonly twins: TwinStore;
  readonly clock: Clock;
}

/** Serves the API of a node whose devices take no commands, on a free port. */
export function serveTwins({ twins, clock }: ServedTwins): Promise<HttpServer> {
  const app = createApi({
    twins,
    commands: { send: () => fail('too-many-commands', 'no device in this test') },
    group: 'lab',
    twinsMax: 100,
    clock,
    events: createEvents(silentLog, clock),
    status: () => ({ group: 'lab' }),
  });
  return serveHttp(app.fetch, { host: '127.0.0.1', port: 0 });
}
