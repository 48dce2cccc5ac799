import {
  configOf,
  config,
  EMBEDDED,
  expectProblems,
  OWNERSHIP,
  problems,
  type Row,
} from '../../support/read-config';

describe('a source of type opa-wasm', () => {
  it.each<Row>([
    [
      'refuses a misspelt key',
      config({
        sources: {
          opa: { type: 'opa-wasm', bundle: 'b', entrypoint: 'a', timeout: '1s' },
          ownership: OWNERSHIP,
        },
      }),
      "~.sources.opa: unknown key 'timeout'; allowed: type, bundle, entrypoint",
    ],
    [
      'needs a bundle and an entrypoint',
      config({ sources: { opa: { type: 'opa-wasm' }, ownership: OWNERSHIP } }),
      "~.sources.opa.bundle: is required: the path of a bundle.tar.gz built by 'opa build -t wasm'. It is not set; if it is ${…} in app-config, that environment variable is not set",
      "~.sources.opa.entrypoint: is required: the path of a decision, such as 'backstage_policy/decision'. It is not set; if it is ${…} in app-config, that environment variable is not set",
    ],
  ])('%s', expectProblems);

  it('takes no standby, as it cannot be unavailable', async () => {
    const raw = configOf({ opa: { ...EMBEDDED, standby: 'nobody' } });
    expect(await problems(raw)).toEqual([
      "~.sources.opa: unknown key 'standby'; allowed: type, bundle, entrypoint",
    ]);
  });
});
