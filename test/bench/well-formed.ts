/** An element of an XML document. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * The elements of an SVG, for tests.
 *
 * @throws Error if the text is not well-formed XML: unlike a browser, it does not forgive.
 */
export function elementsOf(xml: string): Element[] {
  const elements: Element[] = [];
  const open: string[] = [];
  const tag =
    /<(\/?)([a-z]+)((?: [\w:-]+="(?:[^"<&]|&(?:amp|lt|gt|quot);)*")*)(\/?)>([^<]*)/gy;
  for (let next = tag.exec(xml); next; next = tag.exec(xml)) {
    const [whole, ends, name, attributes, isEmpty, text] = next;
    if (/&(?!(amp|lt|gt);)/.test(text!)) throw new Error(`not escaped: ${text}`);
    if (ends) {
      if (open.pop() !== name) throw new Error(`ends another element: ${whole}`);
    } else {
      if (elements.length > 0 && open.length === 0) throw new Error('two roots');
      elements.push({
        name: name!,
        attributes: Object.fromEntries(
          [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [
            key!,
            value!,
          ]),
        ),
        text: text!,
      });
      if (!isEmpty) open.push(name!);
    }
    if (tag.lastIndex === xml.length && open.length === 0) return elements;
  }
  throw new Error(`ends within ${open.join(' ')}`);
}
