import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import type { Coverage } from '../../operations/coverage';
import { backendOf, backendOption, tokenOption } from '../backend';
import {
  APP_CONFIG,
  POLICY,
  PRESETS,
  ROUTING_FILE,
  starterFiles,
  TEST_FILE,
  type Preset,
  type StarterFiles,
} from '../init/presets';
import { unroutedComments } from '../init/unrouted';
import { schemaFolder, writeNew } from '../init/write';
import type { Io } from '../io';
import type { MakeCommand } from '../make-command';

interface InitOptions {
  readonly dir: string;
  readonly backend?: string;
  readonly token?: string;
}

/** `policy-router init`: a table to start from, its app-config and its tests. */
export const initCommand: MakeCommand = io =>
  new Command()
    .description(
      `Writes a routing table, the app-config for it, and tests. It overwrites nothing. Run it in the folder in which the backend runs, such as packages/backend.

Presets:
  least-privilege    everyone may read the catalog and run templates, owners
                     may change what they own; needs no OPA
  embedded-rego      a Rego policy that runs in the backend
  opa                a Rego policy in an OPA server
  observe-allow-all  everything stays allowed for 30 days, and what
                     least-privilege would decide is recorded

Example:
  policy-router init least-privilege --dir packages/backend`,
    )
    .addArgument(new Argument('<preset>', 'what to start from').choices(PRESETS))
    .option('--dir <folder>', 'where to write', '.')
    .addOption(
      backendOption(
        'also list, as comments, what the plugins of this backend declare and no route matches, such as http://localhost:7007',
      ),
    )
    .addOption(tokenOption())
    .action(async (preset: Preset, options: InitOptions) => {
      const { dir } = options;
      const starter = { schemas: schemaFolder(dir), today: new Date() };
      const plain = starterFiles(preset, { ...starter, routes: '' });
      const routes = await routesFor(plain, options, io);
      const files = starterFiles(preset, { ...starter, routes });
      writeNew(dir, files);
      for (const path of files.keys())
        io.out(`${io.style('green', 'written')} ${join(dir, path)}`);
      io.out(['', ...nextSteps(preset, dir, io)].join('\n'));
    });

async function routesFor(
  files: StarterFiles,
  { backend, token }: InitOptions,
  io: Io,
): Promise<string> {
  if (backend === undefined) return '';
  const { permissions } = await backendOf(backend, token, io).get<Coverage>(
    '/coverage',
  );
  return unroutedComments(files.get(ROUTING_FILE)!.toString(), permissions, backend);
}

const OPA_URL = 'http://127.0.0.1:8181';

function nextSteps(preset: Preset, dir: string, { env }: Pick<Io, 'env'>): string[] {
  const isOpa = preset === 'opa';
  const variables = isOpa ? `OPA_URL=${OPA_URL} ` : '';
  const policies = isOpa ? ` --policies ${POLICY}` : '';
  const command = `${variables}${runnerOf(env)}policy-router`;
  const configs = [...appConfigsOf(dir), APP_CONFIG].map(path => ` --config ${path}`);
  return [
    'Next:',
    ...(dir === '.' ? [] : [`  cd ${dir}`]),
    `  ${command} check${configs.join('')}`,
    `  ${command} test ${TEST_FILE}${configs.join('')}${policies}`,
    ...(isOpa ? [`  opa run --server --addr 127.0.0.1:8181 ${POLICY}`] : []),
    `  ${variables}yarn start${configs.join('')}`,
  ];
}

/** As this command was run, so that the next ones can be copied. */
function runnerOf({ npm_config_user_agent: agent = '' }: Io['env']): string {
  if (/^(?:yarn|pnpm)\//.test(agent)) return `${agent.split('/')[0]} `;
  return agent.startsWith('npm/') ? 'npx ' : '';
}

/** The files that Backstage reads if none is named; one that is named must be named beside them. */
const appConfigsOf = (dir: string): string[] =>
  ['.', '../..']
    .map(root =>
      ['app-config.yaml', 'app-config.local.yaml']
        .map(name => join(root, name))
        .filter(path => existsSync(join(dir, path))),
    )
    .find(found => found.length > 0) ?? [];
