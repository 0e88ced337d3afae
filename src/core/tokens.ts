/**
 * Bytes of UTF-8 that one token stands for, on the cautious side of prose: English documentation has 3.8, source
 * code 4.2, Russian 6.7, Japanese 3.4, JSON full of hashes 2.5, base64 1.5 (o200k_base, measured 2026-11-21).
 */
const BYTES_PER_TOKEN = 3.5

/**
 * @param bytesPerToken what this model's own counts have shown, where there are any
 * @returns about how many tokens a text has: cheap, and no bound in either direction
 */
export function estimateTokens(utf8Bytes: number, bytesPerToken: number = BYTES_PER_TOKEN): number {
  return Math.ceil(utf8Bytes / bytesPerToken)
}
