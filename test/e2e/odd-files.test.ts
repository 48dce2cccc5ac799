/**
 * What is named as a routing file turns into something that cannot be read while the process runs:
 * the last good table stays, the log says why, the file is read again once it can be, and the
 * process still ends at SIGTERM.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import { temporaryFolder } from '../support/backend';

/** As a backend does: it ends by `process.exit`, which waits for the threads that read files. */
const SCRIPT = `
  const { ConfigReader } = require('@backstage/config');
  const { LiveConfig } = require('./src/config/live-config.ts');
  const { NOTHING_PROVIDED } = require('./src/config/hosted.ts');
  const say = (message) => console.log(message.replaceAll('\\n', ' '));
  const logger = { info: say, warn: say, error: say, debug: say, child: () => logger };
  const config = new ConfigReader({ permission: { policyRouter: { routingFile: process.argv[1] } } });
  const live = new LiveConfig(config, logger, NOTHING_PROVIDED);
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => {}, 1000);
  live.read().then(({ config }) => {
    say('read ' + config.fallback);
    live.watch(async ({ config }) => say('applied ' + config.fallback));
  }, error => say(error.message));
`;

let folder: string;
let file: string;
let child: ChildProcess | undefined;
let lines: AsyncIterator<string>;
let reader: Interface;

beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'routing.yaml');
});
afterEach(async () => {
  child?.kill('SIGKILL');
  reader.close();
  await rm(folder, { recursive: true });
});

function start(): void {
  const started = spawn(
    process.execPath,
    ['--require', 'tsx/cjs', '--eval', SCRIPT, file],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  child = started;
  reader = createInterface(started.stdout);
  lines = reader[Symbol.asyncIterator]();
}

const nextLine = async (): Promise<string> => String((await lines.next()).value);

/** Ends it as Kubernetes would. */
async function end(): Promise<unknown> {
  const exit = once(child!, 'exit');
  child!.kill('SIGTERM');
  return (await exit)[0];
}

const table = (fallback: string): string =>
  `fallback: ${fallback}\nroutes: [{ prefix: a, sources: [allow] }]\n`;
const makeFifo = (path: string) => promisify(execFile)('mkfifo', [path]);

const ODD: Array<
  [what: string, make: (path: string) => Promise<unknown>, problem: string]
> = [
  ['a FIFO', makeFifo, 'is not a plain file (a FIFO)'],
  [
    'a link to /dev/zero',
    path => symlink('/dev/zero', path),
    'is not a plain file (a device)',
  ],
];

it.each(ODD)('%s at the start is an error', async (_what, make, problem) => {
  await make(file);
  start();
  expect(await nextLine()).toContain(problem);
  expect(await end()).toBe(0);
});

it.each(ODD)(
  '%s in its place is reported, and a table after it is used',
  async (_what, make, problem) => {
    await writeFile(file, table('deny'));
    start();
    expect(await nextLine()).toBe('read deny');
    await make(`${file}.new`);
    await rename(`${file}.new`, file);
    expect(await nextLine()).toMatch(
      new RegExp(`^The changed config is not used, .*${problem.replace(/[()]/g, '.')}`),
    );
    await writeFile(`${file}.new`, table('allow'));
    await rename(`${file}.new`, file);
    expect(await nextLine()).toBe('applied allow');
    expect(await nextLine()).toBe('The policy router config is valid again and in use');
    await make(`${file}.new`);
    await rename(`${file}.new`, file);
    expect(await nextLine()).toContain(problem);
    expect(await end()).toBe(0);
  },
);
