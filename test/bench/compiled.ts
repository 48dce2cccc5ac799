/**
 * Compiles the router and the benchmarks as the package is compiled, and runs one of them with
 * plain Node.
 *
 * They do not run under tsx, which renames every inner function at run time (esbuild's
 * keepNames). That costs half a microsecond each, while the whole router costs a few.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

/** In node_modules, so that the compiled files find their dependencies. */
const CACHE = join(ROOT, 'node_modules/.cache');

const NEEDED = /^(src|test\/bench|test\/support)\//;

/**
 * Passes the arguments of this process on, and ends with the exit code of the benchmark.
 *
 * @param name - of the folder for the compiled files.
 * @param script - relative to the package, without extension.
 */
export function runCompiled(name: string, script: string): void {
  compileAndRun(join(CACHE, name), script).then(
    code => {
      process.exitCode = code;
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    },
  );
}

async function compileAndRun(out: string, script: string): Promise<number> {
  await compile(out);
  const child = spawn(
    process.execPath,
    [join(out, `${script}.js`), ...process.argv.slice(2)],
    { cwd: ROOT, stdio: 'inherit' },
  );
  return new Promise((done, reject) => {
    child.once('error', reject);
    child.once('exit', code => done(code ?? 1));
  });
}

/** Types are checked by `npm run typecheck`, not here. */
async function compile(out: string): Promise<void> {
  await rm(out, { recursive: true, force: true });
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
    const target = join(out, path.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}
