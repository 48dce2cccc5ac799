'use strict';

const { default: Sequencer } = require('@jest/test-sequencer');

/** Small files that take long: without the times of an earlier run jest starts the largest first. */
const LONG = [
  'e2e/catalog-equality/',
  'properties/',
  'e2e/migrating',
  'e2e/start',
  'e2e/hosted/',
  'scaling/',
  'e2e/faults',
  'soak/',
];

/** Starts what takes long before the rest, so that no worker has it for itself at the end. */
class LongestFirst extends Sequencer {
  sort(tests) {
    const rankOf = ({ path }) => {
      const rank = LONG.findIndex(part => path.includes(`/test/${part}`));
      return rank === -1 ? LONG.length : rank;
    };
    return super.sort(tests).sort((one, other) => rankOf(one) - rankOf(other));
  }
}

module.exports = LongestFirst;
