/**
 * `npm run bench [-- --quick]`: compiles the router and the benchmark as the package is
 * compiled, and runs them with plain Node.
 *
 * It does not run under tsx, which renames every inner function at run time (esbuild's
 * keepNames). That costs half a microsecond each, while the whole router costs a few.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

/** In node_modules, so that the compiled files find their dependencies. */
const OUT = join(ROOT, 'node_modules/.cache/policy-router-bench');

const NEEDED = /^(src|test\/bench|test\/support)\//;

async function main(): Promise<void> {
  await compile();
  const script = join(OUT, 'test/bench/main.js');
  const child = spawn(process.execPath, [script, ...process.argv.slice(2)], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  process.exitCode = await new Promise<number>((done, reject) => {
    child.once('error', reject);
    child.once('exit', code => done(code ?? 1));
  });
}

/** Types are checked by `npm run typecheck`, not here. */
async function compile(): Promise<void> {
  await rm(OUT, { recursive: true, force: true });
  const file = join(ROOT, 'tsconfig.json');
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(file, path => ts.sys.readFile(path)).config,
    ts.sys,
    ROOT,
  );
  for (const fileName of fileNames) {
    const path = relative(ROOT, fileName).replaceAll('\\', '/');
    if (!NEEDED.test(path)) continue;
    const { outputText } = ts.transpileModule(await readFile(fileName, 'utf8'), {
      compilerOptions: options,
      fileName,
    });
    const target = join(OUT, path.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
