/**
 * The routes below `/api/policy-router`, which docs/openapi.yaml describes. Each answer is made by
 * a file of its own; here is who may have it, and how it is sent.
 */
import { hostname } from 'node:os';
import { NotFoundError, ServiceUnavailableError } from '@backstage/errors';
import type { Request, RequestHandler, Response } from 'express';
import Router from 'express-promise-router';
import { pluginAsker, type PluginServices } from '../lib/plugin-request';
import type { Router as RunningRouter } from '../router';
import {
  callerOf,
  requireOperator,
  requireOperatorOrService,
  requireUser,
  type AccessServices,
  type Caller,
} from './access';
import { coverageOf, coverageQuery, ofRoute } from './coverage';
import { decisionAnswer, decisionsAnswer, decisionsQuery } from './decisions';
import { diffBody, diffOf } from './diff';
import { explain, explainBody } from './explain';
import { explainAnswer } from './explain-answer';
import type { RouterHandle } from './handle';
import { readInput, readJson } from './input';
import { observedQuery } from './observed';
import { shadowAnswer, shadowQuery } from './shadow';
import { Slots } from './slots';
import { sourcesAnswer } from './sources';
import { tableOf, tableQuery } from './table';

export interface OperationsServices extends AccessServices, PluginServices {}

/** A call, once it is known who calls and that the router decides. */
interface Call {
  readonly caller: Caller;
  readonly router: RunningRouter;
  readonly request: Request;
  readonly response: Response;
}

/** Of one user who is no operator, under way and waiting. */
const MAX_OWN = 2;

export function createOperationsApi(
  handle: RouterHandle,
  services: OperationsServices,
): RequestHandler {
  const api = Router();
  // Users who explain their own decisions must not keep operators waiting.
  const explanations = new Slots('explanations', 1);
  const ownExplanations = new Slots('explanations', 1, MAX_OWN);
  const sources = new Slots('lists of sources', 1);
  const coverages = new Slots('coverages', 1);
  const diffs = new Slots('diffs', 1);
  const askPlugin = pluginAsker(services);
  const answer =
    (make: (call: Call) => object | Promise<object>): RequestHandler =>
    async (request, response) => {
      const { router } = handle;
      if (!router) {
        throw new ServiceUnavailableError('the policy router has not started');
      }
      const { operators } = router.inUse.read.config.visibility;
      const caller = await callerOf(request, operators, services);
      const body = await make({ caller, router, request, response });
      response.setHeader('cache-control', 'no-store');
      // Several replicas answer under one address. Indented, as people read it in a terminal.
      const answered = JSON.stringify({ replica: hostname(), ...body }, null, 2);
      response.type('json').send(`${answered}\n`);
    };

  api.get(
    '/v1/table',
    answer(({ caller, router, request }) => {
      requireOperatorOrService(caller);
      const part = readInput(tableQuery, request.query, 'query');
      return tableOf(router.inUse, router.live, part);
    }),
  );
  api.get(
    '/v1/sources',
    answer(({ caller, router }) => {
      requireOperatorOrService(caller);
      return sources.run(async () => {
        const { config } = router.inUse.read;
        const statuses = router.policy.snapshot.statuses();
        const isOperator = caller.kind === 'user';
        return { sources: await sourcesAnswer(config, statuses, isOperator) };
      });
    }),
  );
  api.get(
    '/v1/coverage',
    answer(({ caller, router, request }) => {
      requireOperatorOrService(caller);
      const { route } = readInput(coverageQuery, request.query, 'query');
      return coverages.run(async () => {
        const coverage = await coverageOf({
          declared: router.declared.all(),
          table: router.policy.snapshot.table,
          config: router.inUse.read.config,
        });
        return route === undefined ? coverage : ofRoute(coverage, route);
      });
    }),
  );
  api.get(
    '/v1/decisions',
    answer(({ caller, router, request }) => {
      requireOperator(caller);
      const query = readInput(decisionsQuery, request.query, 'query');
      return decisionsAnswer(query, router);
    }),
  );
  api.get(
    '/v1/decisions/:number',
    answer(({ caller, router, request }) => {
      requireOperator(caller);
      return decisionAnswer(request.params.number!, router);
    }),
  );
  api.get(
    '/v1/shadow',
    answer(({ caller, router, request }) => {
      requireOperator(caller);
      return shadowAnswer(readInput(shadowQuery, request.query, 'query'), router);
    }),
  );
  api.get(
    '/v1/observed',
    answer(({ caller, router, request }) => {
      requireOperator(caller);
      return router.observed.answer(readInput(observedQuery, request.query, 'query'));
    }),
  );
  api.post(
    '/v1/diff',
    answer(async ({ caller, router, ...call }) => {
      requireOperator(caller);
      return diffs.run(async () => {
        const { routing } = readInput(diffBody, await readJson(call, 'diff'), 'body');
        return diffOf(routing, {
          live: router.live,
          inForce: router.inUse.read,
          table: router.policy.snapshot.table,
          declared: router.declared.all(),
          recent: router.recent.all(),
        });
      });
    }),
  );
  api.post(
    '/v1/explain',
    answer(async ({ caller, router, ...call }) => {
      const user = requireUser(caller);
      const { isOperator } = user;
      const slots = isOperator ? explanations : ownExplanations;
      return slots.run(async () => {
        const json = await readJson(call, isOperator ? 'explain' : 'own');
        const body = readInput(explainBody, json, 'body');
        const explained = await explain(body, user, router, askPlugin);
        return explainAnswer(explained, isOperator, body.resource);
      }, user.userEntityRef);
    }),
  );
  api.use('/v1', (request: Request) => {
    throw new NotFoundError(`there is no ${request.method} ${request.path} here`);
  });
  return api;
}
