import { hostname } from 'node:os';
import type { AuthService, DiscoveryService } from '@backstage/backend-plugin-api';
import { ServiceUnavailableError } from '@backstage/errors';
import type { Request, RequestHandler } from 'express';
import Router from 'express-promise-router';
import type { Router as RunningRouter } from '../router';
import { callerOf, type AccessServices, type Caller } from './access';
import type { RouterHandle } from './handle';

export interface OperationsServices extends AccessServices {
  readonly auth: AuthService;
  readonly discovery: DiscoveryService;
}

/** A call, once it is known who calls and that the router decides. */
interface Call {
  readonly caller: Caller;
  readonly router: RunningRouter;
  readonly request: Request;
}

/** The routes below `/api/policy-router`; docs/openapi.yaml describes them. */
export function createOperationsApi(
  handle: RouterHandle,
  services: OperationsServices,
): RequestHandler {
  const api = Router();
  const answer =
    (make: (call: Call) => object | Promise<object>): RequestHandler =>
    async (request, response) => {
      const { router } = handle;
      if (!router)
        throw new ServiceUnavailableError('the policy router has not started');
      const { operators } = router.inUse.read.config.visibility;
      const caller = await callerOf(request, operators, services);
      const body = await make({ caller, router, request });
      response.setHeader('cache-control', 'no-store');
      // Several replicas answer under one address.
      response.json({ replica: hostname(), ...body });
    };
  void answer;
  return api;
}
