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

/** Not found from this file, which is also compiled. */
const ROOT = process.cwd();

/** Relative to a package: in node_modules, so that the compiled files find their dependencies. */
const CACHE = 'node_modules/.cache';

const ROUTER = /^(src|dev)\//;
const BENCHMARKS = /^test\/(bench|support)\//;

/**
 * Passes the arguments of this process on, and ends with the exit code of the benchmark.
 *
 * @param name - of the folder for the compiled files.
 * @param script - relative to the package, without extension.
 */
export function runCompiled(name: string, script: string): void {
  compileAndRun(join(ROOT, CACHE, name), script).then(
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
  await rm(out, { recursive: true, force: true });
  await compile(ROOT, ROUTER, out);
  await compile(ROOT, BENCHMARKS, out);
  const child = spawn(
    process.execPath,
    [join(out, `${script}.js`), ...process.argv.slice(2)],
    { cwd: ROOT, stdio: 'inherit' },
  );
  process.once('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((done, reject) => {
    child.once('error', reject);
    child.once('exit', code => done(code ?? 1));
  });
}

/**
 * Compiles the router of another checkout with the benchmarks of this one.
 *
 * @returns the folder of the compiled files.
 */
export async function compileOther(checkout: string): Promise<string> {
  const root = resolve(checkout);
  const out = join(root, CACHE, 'policy-router-bench-other');
  await rm(out, { recursive: true, force: true });
  await compile(root, ROUTER, out);
  await compile(ROOT, BENCHMARKS, out);
  return out;
}

/** Types are checked by `npm run typecheck`, not here. */
async function compile(root: string, needed: RegExp, out: string): Promise<void> {
  const file = join(root, 'tsconfig.json');
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(file, path => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  );
  for (const fileName of fileNames) {
    const path = relative(root, fileName).replaceAll('\\', '/');
    if (!needed.test(path)) continue;
    const { outputText } = ts.transpileModule(await readFile(fileName, 'utf8'), {
      compilerOptions: options,
      fileName,
    });
    const target = join(out, path.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}
