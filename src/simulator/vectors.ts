/**
 * Vectors by feature hashing: texts that share words point in similar directions, so that semantic search has
 * something to find. Each word adds to a few dimensions that its hash chooses.
 */

const DIMENSIONS_PER_WORD = 4

/** @returns a vector of length 1, always the same for a text */
export function toVector(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]) {
    let hash = hashOf(word)
    for (let i = 0; i < DIMENSIONS_PER_WORD; i++) {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + i
      const dimension = (hash >>> 1) % dimensions
      vector[dimension] = (vector[dimension] ?? 0) + ((hash & 1) === 0 ? 1 : -1)
    }
  }
  let sum = 0
  for (const value of vector) sum += value * value
  if (sum === 0) vector[0] = sum = 1
  const length = Math.sqrt(sum)
  for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) / length
  return vector
}

/** @returns how alike two texts are, from -1 to 1 */
export function toSimilarity(first: string, second: string): number {
  const one = toVector(first, 256)
  const other = toVector(second, 256)
  let sum = 0
  for (let i = 0; i < one.length; i++) sum += (one[i] ?? 0) * (other[i] ?? 0)
  return sum
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
