/** `1 decision`, `1,204 decisions` */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${grouped(count)} ${count === 1 ? one : many}`;

/** With commas, whatever the language of the machine. */
export const grouped = (count: number): string => count.toLocaleString('en-US');
