/**
 * Lets a backend start without the SDKs of the cloud providers: a third of its code, of which it
 * would only create clients for URLs that nobody asks for.
 */
import Module from 'node:module';
import { join } from 'node:path';

const CLOUD = /^(@aws-sdk|@azure|@google-cloud)\//;

const STUB = join(process.cwd(), 'test/support/unused-cloud.js');

type Resolve = (request: string, ...rest: unknown[]) => string;
const internals = Module as unknown as { _resolveFilename: Resolve };
const resolveFilename = internals._resolveFilename;

internals._resolveFilename = function (request, ...rest) {
  return CLOUD.test(request) && !request.endsWith('package.json')
    ? STUB
    : resolveFilename.call(this, request, ...rest);
};
