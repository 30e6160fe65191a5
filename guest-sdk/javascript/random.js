// The engine's Math.random starts from a seed that was frozen when the component was built: every attempt would draw the
// same numbers. This one starts from the attempt's idempotency key, so that attempts differ, and a run after a crash draws
// what the first one drew.

/** Where the engine's own is good, as under Node, it stays. */
export function installRandom(key) {
  if (globalThis.process?.versions?.node) return;
  let random;
  Math.random = () => (random ??= randomFrom(key()))();
}

/** mulberry32 behind an FNV-1a hash of the key: not for secrets. */
export function randomFrom(key) {
  let state = 0x811c9dc5;
  for (const character of key) state = Math.imul(state ^ character.codePointAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
