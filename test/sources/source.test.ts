import { Cancellation } from '../../src/sources/source';

describe('a cancellation', () => {
  it('calls its listener and says so', () => {
    const cancellation = new Cancellation();
    let aborted: boolean | undefined;
    cancellation.onabort = () => {
      aborted = cancellation.aborted;
    };
    expect(cancellation.aborted).toBe(false);
    expect(cancellation.abort()).toBe(true);
    expect(aborted).toBe(true);
  });

  it('says that nobody listens', () => {
    const cancellation = new Cancellation();
    expect(cancellation.abort()).toBe(false);
    expect(cancellation.aborted).toBe(true);
  });
});
