import { readFileSync } from 'node:fs';

/** The code blocks in a page of docs/migrating, by heading. */
export class Guide {
  private readonly blocks: ReadonlyArray<{
    readonly heading: string;
    readonly language: string;
    readonly text: string;
  }>;

  constructor(readonly page: string) {
    const content = readFileSync(page, 'utf8');
    const found = content.matchAll(/^#+ (.*)$|^```(\S+).*\n([\s\S]*?)^```$/gm);
    let heading = '';
    this.blocks = [...found].flatMap(([, title, language = '', text = '']) => {
      heading = title ?? heading;
      return title === undefined ? [{ heading, language, text }] : [];
    });
  }

  /** The blocks in this language between this heading and the next one. */
  all(heading: string, language: string): string[] {
    return this.blocks
      .filter(each => each.heading === heading && each.language === language)
      .map(({ text }) => text);
  }

  /** The first of these blocks. */
  block(heading: string, language: string): string {
    const [text] = this.all(heading, language);
    if (text === undefined) {
      throw new Error(`${this.page} has no \`\`\`${language} under '${heading}'`);
    }
    return text;
  }

  /** The lines of a diff of index.ts before and after the change. */
  change(heading: string): { readonly before: string; readonly after: string } {
    const lines = this.block(heading, 'diff').split('\n');
    const side = (sign: '-' | '+'): string =>
      lines
        .filter(line => line.startsWith(' ') || line.startsWith(sign))
        .map(line => `${line.slice(1)}\n`)
        .join('');
    return { before: side('-'), after: side('+') };
  }
}

/** A line of index.ts: what is imported, and its name in `hostPolicy`. */
export interface Added {
  readonly specifier: string;
  readonly hostedAs?: string;
}

const ADDED =
  /backend\.add\(\s*(?:hostPolicy\(\s*'([^']+)',\s*)?import\(\s*'([^']+)',?\s*\),?\s*\)?,?\s*\);/g;

/**
 * The features that these lines add to a backend.
 *
 * @throws Error if a line is not recognized.
 */
export function addedBy(code: string): Added[] {
  const added = [...code.matchAll(ADDED)].map(([, hostedAs, specifier]) => ({
    specifier: specifier!,
    ...(hostedAs === undefined ? {} : { hostedAs }),
  }));
  const calls = code.split('backend.add(').length - 1;
  if (added.length !== calls) throw new Error(`not understood:\n${code}`);
  return added;
}
