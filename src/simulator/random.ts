/** @returns numbers from 0 (inclusive) to 1 (exclusive), the same ones for the same seed */
export type Random = () => number

/** Mulberry32 by Tommy Ettinger (public domain): small, and even enough to fail one call in ten. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
