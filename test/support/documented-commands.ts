/**
 * Runs the commands `policy-router …` that a page shows, in their order, and compares what they print.
 *
 * - A ```sh block in which a line begins with `policy-router ` is run. Each of its commands begins with
 *   that, perhaps after variables (`POLICY_ROUTER_TOKEN=… policy-router …`); a line that ends in `\`
 *   goes on in the next one; `> file` at the end writes what is printed to a file. Nothing else may be
 *   in the block but comments.
 * - The ```text, ```json or ```yaml block directly after it, with only empty lines and comments
 *   (`<!-- prettier-ignore -->`) between, is what it prints: stdout, then stderr. Without such a block
 *   what it prints is not compared.
 * - `# exit code 1` at the end of a command says how it ends; without it the exit code must be 0.
 * - A block whose first line is only a comment with the path of a file, such as `# config/routing.yaml`,
 *   is that file. It is written when it is its turn, into the folder in which the commands run.
 *
 * `UPDATE_DOCS=1` writes what is printed, and the exit codes, to the page.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runPolicyRouter } from './cli';

export interface CommandPage {
  /** Where the commands run; asked for each one. */
  readonly folder: () => string;
  readonly env?: () => Readonly<Record<string, string>>;
  /** Called before each block, such as to prepare what its heading is about. */
  readonly before?: (block: CommandBlock) => void | Promise<void>;
  /** What is run in place of what the page shows, such as another port. */
  readonly real?: (word: string) => string;
  /** What the page shows in place of what differs from run to run. */
  readonly steady?: (printed: string) => string;
}

export interface CommandBlock {
  /** The heading that it is under, without `#`. */
  readonly heading: string;
  readonly commands: readonly Command[];
}

interface Command {
  readonly env: Readonly<Record<string, string>>;
  /** Without `policy-router`. */
  readonly args: readonly string[];
  readonly writesTo: string | undefined;
  readonly exitCode: number;
}

interface Block {
  readonly heading: string;
  readonly language: string;
  readonly text: string;
  /** Of the text, in the page. */
  readonly start: number;
  /** Whether only empty lines and comments are between it and the block before. */
  readonly follows: boolean;
}

const OUTPUT_LANGUAGES = new Set(['text', 'json', 'yaml']);
const FILE = /^# (\S+\.(?:ya?ml|rego))\n/;

/** Declares a test for each block with commands; call it in a `describe` or at the top of a file. */
export function testCommandsOf(page: string, options: CommandPage): void {
  const count = blocksOf(readFileSync(page, 'utf8')).length;
  for (let index = 0; index < count; index++) {
    const block = blocksOf(readFileSync(page, 'utf8'))[index]!;
    const file = fileOf(block.text);
    if (file !== undefined) {
      // A test too, so that it is written in its turn.
      it(`${page}: write ${file}`, () =>
        writeBelow(options.folder(), file, block.text));
    } else if (isCommands(block)) {
      const [first = ''] = block.text.split('\n');
      it(`${page}: ${first}`, () => runBlock(page, index, options));
    }
  }
}

/** The path of the file that a block is; undefined if it is none. */
export const fileOf = (text: string): string | undefined => FILE.exec(text)?.[1];

/** Whether a page has commands that must be run. */
export const hasCommands = (page: string): boolean =>
  blocksOf(readFileSync(page, 'utf8')).some(isCommands);

const isCommands = ({ language, text }: Block): boolean =>
  language === 'sh' && /^(?:\w+=\S* )*policy-router(?: |$)/m.test(text);

async function runBlock(
  page: string,
  index: number,
  { folder, env, before, real = same, steady = same }: CommandPage,
): Promise<void> {
  const [block, after] = blocksOf(readFileSync(page, 'utf8')).slice(index);
  const { heading, text } = block!;
  const commands = commandsIn(text);
  await before?.({ heading, commands });
  const cwd = folder();
  let printed = '';
  const codes: number[] = [];
  for (const command of commands) {
    const { code, out, err } = await runPolicyRouter(command.args.map(real), {
      cwd,
      env: { ...env?.(), ...command.env },
    });
    codes.push(code);
    if (command.writesTo === undefined) printed += out;
    else writeBelow(cwd, command.writesTo, out);
    printed += err;
  }
  const shown = steady(printed);
  const expected =
    after?.follows && OUTPUT_LANGUAGES.has(after.language) ? after : undefined;
  if (process.env.UPDATE_DOCS === '1') {
    // From the end, so that the places before stay.
    if (expected) replace(page, expected, shown);
    replace(page, block!, withExitCodes(text, codes));
    return;
  }
  const wanted = commands.map(({ exitCode }) => exitCode);
  // Without a block it is only shown where a test fails.
  const printedOnPage = expected?.text ?? shown;
  expect({ codes, printed: shown }).toEqual({ codes: wanted, printed: printedOnPage });
}

const same = (text: string): string => text;

function writeBelow(folder: string, file: string, text: string): void {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function replace(page: string, { start, text }: Block, by: string): void {
  const content = readFileSync(page, 'utf8');
  writeFileSync(
    page,
    content.slice(0, start) + by + content.slice(start + text.length),
  );
}

function blocksOf(content: string): Block[] {
  const found = content.matchAll(/^#+ (.*)$|^```(\w+).*\n([\s\S]*?)^```$/gm);
  const blocks: Block[] = [];
  let heading = '';
  let end = 0;
  for (const { 0: whole, 1: title, 2: language = '', 3: text = '', index } of found) {
    if (title !== undefined) {
      heading = title;
      continue;
    }
    const start = index + whole.indexOf('\n') + 1;
    const between = content.slice(end, index).replace(/<!--.*?-->/gs, '');
    const follows = between.trim() === '';
    blocks.push({ heading, language, text, start, follows });
    end = index + whole.length;
  }
  return blocks;
}

const EXIT_CODE = / +# exit code (\d+)$/;

/** The lines of commands; those that go on in the next line are one. */
const linesOf = (text: string): string[] =>
  text
    .trimEnd()
    .split(/(?<!\\)\n/)
    .filter(line => line.trim() !== '' && !line.startsWith('#'));

const commandsIn = (text: string): Command[] => linesOf(text).map(commandOf);

function commandOf(line: string): Command {
  const exitCode = Number(EXIT_CODE.exec(line)?.[1] ?? 0);
  const words = wordsOf(line.replace(EXIT_CODE, ''));
  const env: Record<string, string> = {};
  while (/^\w+=/.test(words[0] ?? '')) {
    const [name = '', ...value] = words.shift()!.split('=');
    env[name] = value.join('=');
  }
  if (words.shift() !== 'policy-router') throw new Error(`not understood: ${line}`);
  const writesTo = words.at(-2) === '>' ? words.at(-1) : undefined;
  const args = writesTo === undefined ? words : words.slice(0, -2);
  return { env, args, writesTo, exitCode };
}

/** As a shell splits them, of what is plain or in quotes; variables stay as they are. */
function wordsOf(line: string): string[] {
  const plain = line.replace(/\\\n/g, ' ').trim();
  return [...plain.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_whole, single, double) =>
      String(single ?? double),
    ),
  );
}

function withExitCodes(text: string, codes: readonly number[]): string {
  let changed = text;
  for (const [index, line] of linesOf(text).entries()) {
    const code = codes[index];
    const comment = code === 0 ? '' : ` # exit code ${code}`;
    changed = changed.replace(line, () => `${line.replace(EXIT_CODE, '')}${comment}`);
  }
  return changed;
}
