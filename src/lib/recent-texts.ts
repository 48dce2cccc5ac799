/** Values by text, of which only those that were added or found lately are kept. */
export class RecentTexts<V> {
  private recent = new Map<string, V>();
  private older = new Map<string, V>();
  /** Of the recent ones. */
  private characters = 0;
  private readonly most: number;

  /** @param most - characters of all texts; of a longer one than an eighth nothing is kept. */
  constructor(most: number) {
    this.most = most / 2;
  }

  get(text: string): V | undefined {
    const known = this.recent.get(text);
    if (known !== undefined) return known;
    const older = this.older.get(text);
    if (older !== undefined) this.add(text, older);
    return older;
  }

  /** @param text - is not known. */
  add(text: string, value: V): void {
    if (text.length > this.most / 4) return;
    if (this.characters + text.length > this.most) {
      this.older = this.recent;
      this.recent = new Map();
      this.characters = 0;
    }
    this.recent.set(text, value);
    this.characters += text.length;
  }
}
