import type { ApiOptions } from './api.ts';
import { contentRoutes } from './content-routes.ts';
import { insightRoutes } from './insight-routes.ts';
import { createLedgerRoutes } from './ledger-routes.ts';
import { messageRoutes } from './message-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { relationRoutes } from './relation-routes.ts';
import type { Route } from './route.ts';
import { searchRoutes } from './search-routes.ts';
import { thingsRoutes } from './things-routes.ts';

/** Everything the API answers; the first that fits a path does. */
export function routesOf({ ledger, clock }: Pick<ApiOptions, 'ledger' | 'clock'>): Route[] {
  const routes: Route[] = [
    ...nodeRoutes(() => routes),
    ...searchRoutes,
    ...thingsRoutes,
    ...relationRoutes,
    ...insightRoutes,
    ...messageRoutes,
    ...contentRoutes,
    ...(ledger === undefined ? [] : createLedgerRoutes({ ledger, clock })),
  ];
  return routes;
}
