import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { temporaryFolder } from './backend';

/** The backend of test/fixtures/guest-backend.ts, and what it has logged. */
export class LoggingBackend {
  /** Without colours. */
  readonly lines: string[] = [];
  #url = '';
  #marks = 0;
  readonly #events = new EventEmitter();

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {
    createInterface(child.stdout!).on('line', line => {
      this.lines.push(stripVTControlCharacters(line));
      this.#events.emit('change');
    });
    child.once('close', () => this.#events.emit('change'));
  }

  /**
   * @param mode - Backstage logs JSON in production.
   * @param configs - the contents of the app-config files, merged in this order.
   */
  static async start(
    mode: 'development' | 'production',
    configs: readonly string[],
  ): Promise<LoggingBackend> {
    const folder = await temporaryFolder();
    const files = configs.map((_config, index) => fileOf(folder, index));
    for (const [index, file] of files.entries()) await writeFile(file, configs[index]!);
    const child = spawn(
      process.execPath,
      ['--require', 'tsx/cjs', 'test/fixtures/guest-backend.ts', ...files],
      {
        env: { ...process.env, NODE_ENV: mode, LOG_LEVEL: undefined },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const backend = new LoggingBackend(child, folder);
    try {
      const line = await backend.#lineThat(each => each.startsWith(LISTENING));
      backend.#url = line.slice(LISTENING.length);
      return backend;
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  get url(): string {
    return this.#url;
  }

  /**
   * Changes an app-config file, by one write: Backstage's watcher could read a file that is being
   * written and miss the rest. It also misses a change that follows another at once.
   */
  async change(index: number, config: string): Promise<void> {
    const file = await open(fileOf(this.folder, index), 'r+');
    try {
      await file.write(config.padEnd(SIZE, '\n'), 0);
    } finally {
      await file.close();
    }
  }

  /** All lines, including those that it has written but we have not read yet. */
  async logged(): Promise<readonly string[]> {
    const mark = `mark ${++this.#marks}`;
    this.child.stdin!.write(`${mark}\n`);
    await this.#lineThat(line => line === mark);
    return this.lines;
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Ends it as the loss of its machine would. */
  crash(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    while (!this.#hasEnded()) await once(this.child, 'exit');
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @throws Error with what was logged if the process ends before. */
  async #lineThat(matches: (line: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.lines.find(matches);
      if (found !== undefined) return found;
      if (this.#hasEnded())
        throw new Error(`the backend has ended:\n${this.lines.join('\n')}`);
      await once(this.#events, 'change');
    }
  }

  #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

const LISTENING = 'listening at ';

/** Of a changed app-config file, so that nothing of its old content stays. */
const SIZE = 1_000;

const fileOf = (folder: string, index: number): string =>
  join(folder, `app-config.${index}.yaml`);
