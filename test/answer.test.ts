import { failed, nameOf, type LinkName } from '../src/answer';

it.each<[link: LinkName, name: string]>([
  [{ source: 'opa', standby: false }, "'opa'"],
  [{ source: 'embedded', standby: true }, "standby 'embedded'"],
  [
    { source: 'opa', endpoint: 'http://10.0.0.1:8181', standby: false },
    "'opa' at http://10.0.0.1:8181",
  ],
  [
    { source: 'second', endpoint: 'unix:/run/opa.sock', standby: true },
    "standby 'second' at unix:/run/opa.sock",
  ],
])('%j is named %s', (link, name) => {
  expect(nameOf(link)).toBe(name);
});

it('a failure holds its class, code and message', () => {
  expect(failed('unavailable', 'TIMEOUT', 'no answer within 200 ms')).toEqual({
    kind: 'FAILED',
    failure: {
      class: 'unavailable',
      code: 'TIMEOUT',
      message: 'no answer within 200 ms',
    },
  });
});
