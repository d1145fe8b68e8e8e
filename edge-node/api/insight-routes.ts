import type { z } from 'zod';
import { thingDelta } from '#shared/twin/document/delta.ts';
import { existing } from './call.ts';
import { parameters, type QueryParameter } from './query-parameter.ts';
import type { Operation, Route } from './route.ts';
import {
  deltaSchema,
  predictionSchema,
  predictionsSchema,
  seriesSchema,
  whySchema,
} from './schemas.ts';
import { explainWithAge, readPrediction } from './thing-prediction.ts';
import { thingSeries } from './thing-series.ts';

const { at, from, to, step, agg } = parameters;

/** What follows from a thing, beyond what Ditto shows of it: read-only, one line each. */
export const insightRoutes: readonly Route[] = [
  insight('/delta', {
    ...{ id: 'getDelta', summary: 'What is desired beside what is reported.', shown: deltaSchema },
    answer: (call) => Response.json(thingDelta(existing(call).thing)),
  }),
  insight('/why', {
    ...{ id: 'getWhy', summary: 'Why what is desired is not so.', shown: whySchema },
    answer: (call) => Response.json(explainWithAge(call.options, existing(call).thing)),
  }),
  insight('/features/{featureId}/prediction', {
    ...{ id: 'getPredictions', summary: 'What the twin takes the properties of a feature to be.' },
    shown: predictionsSchema,
    query: [at],
    answer: (call) => Response.json(readPrediction(call)),
  }),
  insight('/features/{featureId}/prediction/{propertyId}', {
    ...{ id: 'getPrediction', summary: 'What the twin takes a property to be.' },
    shown: predictionSchema,
    query: [at],
    answer: (call) => Response.json(readPrediction(call)),
  }),
  insight('/features/{featureId}/timeseries/{propertyId}', {
    ...{ id: 'getTimeseries', summary: 'The samples of a property.', shown: seriesSchema },
    query: [from, to, step, agg],
    answer: (call) => {
      const { twins, clock } = call.options;
      const { featureId, propertyId } = call.params;
      const { device } = existing(call);
      const property = `${featureId}/${propertyId}`;
      const series = { device, property, nowMs: clock.nowMs() };
      return Response.json(thingSeries(twins, series, call.query));
    },
  }),
];

interface Insight extends Pick<Operation, 'id' | 'summary' | 'answer'> {
  readonly shown: z.ZodType;
  readonly query?: readonly QueryParameter[];
}

function insight(path: string, { shown, ...operation }: Insight): Route {
  const answers = {
    200: { description: operation.summary, content: { 'application/json': shown } },
  };
  return {
    path: `/api/2/things/{thingId}${path}`,
    operations: { GET: { ...operation, role: 'read', answers } },
  };
}
