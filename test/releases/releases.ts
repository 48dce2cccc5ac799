/** A release of Backstage, as its create-app makes it. */
export interface Release {
  readonly name: string;
  /** The version of `@backstage/create-app`. */
  readonly createApp: string;
}

/** `newest` has the newest of all packages; of the others, test/releases/pins has the versions. */
export const NEWEST = 'newest';

/** The pins of the whole backend of a new app, as create-app's lock file would have them. */
export const NEW_APP = 'new-app';

/** The oldest comes first. */
export const RELEASES: readonly Release[] = [
  { name: '1.43', createApp: '0.7.4' },
  { name: '1.44', createApp: '0.7.5' },
  { name: '1.53', createApp: '0.9.0' },
  { name: '1.54', createApp: '0.9.1' },
  { name: NEWEST, createApp: '0.9.2' },
];

/**
 * Those of the environment variable RELEASES, such as `1.43,newest`; all without it.
 *
 * @throws Error if a name is unknown.
 */
export function chosenReleases(names = process.env.RELEASES): readonly Release[] {
  if (names === undefined) return RELEASES;
  return names.split(',').map(name => {
    const release = RELEASES.find(each => each.name === name.trim());
    if (release) return release;
    const known = RELEASES.map(each => each.name).join(', ');
    throw new Error(`RELEASES: '${name}' is none of ${known}`);
  });
}
