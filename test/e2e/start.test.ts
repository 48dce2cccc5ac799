/** A bad config makes the start fail and report every error at once. */
import { spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startBackend, temporaryFolder } from '../support/backend';

const badRouter = {
  fallbak: 'deny',
  sources: {
    opa: { type: 'opa', baseUrl: 'ftp://opa', entrypoint: 'a/b', timeout: 500 },
  },
  routes: [
    { prefix: 'catalog', sources: ['opaa'] },
    { prefix: 'catalog.*', sources: ['deny'] },
  ],
};

const problems = [
  "permission.policyRouter: unknown key 'fallbak'; allowed: routingFile, observeInRoutingFile, fallback, ",
  "permission.policyRouter.fallback: is required: 'allow' or 'deny'",
  "permission.policyRouter.sources.opa.baseUrl: must be 'http://…', 'https://…' or 'unix:/path/to/socket'",
  "permission.policyRouter.sources.opa.timeout: must be a duration such as '500ms'",
  "permission.policyRouter.routes[0].sources[0]: unknown source 'opaa'; allowed: 'allow', 'deny', 'opa'",
  'permission.policyRouter.routes[1]: ties with routes[0]',
];

/** Everything an error says, with its causes. */
function wordsOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause ? `${message}\n${wordsOf(cause)}` : message;
}

describe('a bad config', () => {
  it('rejects the start with all errors, their paths and the allowed values', async () => {
    const error: unknown = await startBackend({ policyRouter: badRouter }).catch(
      (reason: unknown) => reason,
    );
    for (const problem of problems) expect(wordsOf(error)).toContain(problem);
  });

  it('rejects the start when it is missing', async () => {
    const error: unknown = await startBackend({}).catch((reason: unknown) => reason);
    expect(wordsOf(error)).toContain(
      'permission.policyRouter: is required: an object of ',
    );
  });

  it('rejects the start when a bundle cannot be read', async () => {
    const error: unknown = await startBackend({
      policyRouter: {
        fallback: 'deny',
        sources: {
          embedded: { type: 'opa-wasm', bundle: 'package.json', entrypoint: 'a/b' },
        },
        routes: [{ prefix: '', sources: ['embedded'] }],
      },
    }).catch((reason: unknown) => reason);
    expect(wordsOf(error)).toMatch(
      /permission\.policyRouter\.sources\.embedded: the bundle '.*package\.json' cannot be used/,
    );
  });

  it('rejects the start when OPA_URL of the shipped config is not set, and says so', async () => {
    const { OPA_URL } = process.env;
    delete process.env.OPA_URL;
    try {
      const error: unknown = await startBackend({
        configFiles: ['config/app-config.yaml'],
        config: {},
      }).catch((reason: unknown) => reason);
      expect(wordsOf(error)).toContain(
        "config has 1 error:\n  - permission.policyRouter.sources.opa.baseUrl: is required: a URL 'http://…' or " +
          "'https://…', or 'unix:/path/to/socket'. It is not set; if it is ${OPA_URL} in app-config, " +
          'that environment variable is not set',
      );
    } finally {
      if (OPA_URL !== undefined) process.env.OPA_URL = OPA_URL;
    }
  });

  it('rejects the start when the routing file is missing', async () => {
    const error: unknown = await startBackend({
      policyRouter: { routingFile: './no-such-routing.yaml' },
    }).catch((reason: unknown) => reason);
    expect(wordsOf(error)).toMatch(/no-such-routing\.yaml: does not exist/);
  });
});

describe('permissions that are not enabled', () => {
  it('are warned of, because the policy is then not asked', async () => {
    const backend = await startBackend({
      config: {
        permission: {
          policyRouter: {
            fallback: 'deny',
            routes: [{ prefix: 'a', sources: ['deny'] }],
          },
        },
      },
    });
    const line = await backend.logs.waitFor('permission.enabled is not true');
    expect(line.level).toBe('warn');
    // Stopping a backend that is still starting would fail.
    await backend.signIn('petra');
    await backend.stop();
  });
});

describe('npm start', () => {
  it('exits 1 on a bad config and says what is wrong', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'bad.yaml');
    await writeFile(
      file,
      stringify({
        backend: { listen: { host: '127.0.0.1', port: 0 } },
        permission: { policyRouter: { deadline: 'soon' } },
      }),
    );
    const { code, output } = await runSample([file], () => false);
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(output).toContain('permission.policyRouter.deadline: must be a duration');
  });

  it('prints who may do what with routes and reasons, and stays up', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'port.yaml');
    await writeFile(
      file,
      stringify({ backend: { listen: { host: '127.0.0.1', port: 0 } } }),
    );
    const { output } = await runSample([file], text =>
      text.includes('The backend stays up'),
    );
    await rm(folder, { recursive: true });
    expect(output).toMatch(
      /catalog\.entity\.delete +payments-vault +DENY +DENY +ALLOW +'catalog\.entity\.delete'/,
    );
    expect(output).toMatch(
      /billing\.invoice\.create +olivia +DENY +DENY by the fallback: no route matches/,
    );
    expect(output).toMatch(
      /payments-vault +olivia +DENY +CONDITIONAL by 'catalog\.entity\.delete': allowed where IS_ENTITY_OWNER claims/,
    );
    expect(output).toMatch(/nolan +payments-api, payments-vault, search-ui/);
    expect(output).toContain(
      '/api/permission/authorize -H "Authorization: Bearer $token"',
    );
  });
});

/** Runs `npm start` until its output suffices or the process exits. */
async function runSample(
  args: readonly string[],
  enough: (output: string) => boolean,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(
    process.execPath,
    [require.resolve('tsx/cli'), 'dev/index.ts', ...args],
    {
      env: { ...process.env, NODE_ENV: 'development', OPA_URL: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    if (enough(output)) child.kill('SIGTERM');
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise<number | null>(resolve =>
    child.once('close', resolve),
  );
  return { code, output };
}
