/** Tokens an image costs in the input: at low detail, and at most at any other. */
interface ImageTokens {
  readonly low: number
  readonly most: number
}

/**
 * An image's size is not known before it is fetched or decoded, so any but a low-detail one counts as a large
 * photograph. The rules for tiles and patches are OpenAI's: at most 8 tiles of 512 pixels after scaling to
 * 2,048 × 768, each at the model's price beside a base; or at most 1,536 patches of 32 pixels, times a factor
 * (https://platform.openai.com/docs/guides/images-vision, read in copies on 2026-11-21). Plain figures were measured
 * with an image of 12 megapixels (https://huggingface.co/datasets/JOHNISKING/image-token-cost, read 2026-11-21).
 */
const BY_MODEL: readonly { readonly model: RegExp; readonly tokens: ImageTokens }[] = [
  { model: /^gpt-4o-mini/, tokens: tiles(2833, 5667) },
  { model: /^gpt-(?:4\.1|5)-mini/, tokens: patches(1.62) },
  { model: /^gpt-(?:4\.1|5)-nano/, tokens: patches(2.46) },
  { model: /^o4-mini/, tokens: patches(1.72) },
  { model: /^gpt-4/, tokens: tiles(85, 170) },
  { model: /^gpt-5(?!\.)/, tokens: tiles(70, 140) },
  { model: /^o[13]/, tokens: tiles(75, 150) },
  { model: /^gpt-/, tokens: { low: 308, most: 14_364 } },
  { model: /^claude-(?:3|.*-4)/, tokens: { low: 1661, most: 1661 } },
  { model: /^gemini/, tokens: { low: 1101, most: 1101 } },
]

/** Everyone else, and new models of Anthropic: what a large photograph costs at the dearer of the others. */
const OTHERS: ImageTokens = { low: 4005, most: 4005 }

/** @returns an upper estimate of the tokens of one image */
export function imageTokens(model: string, detail: string | undefined): number {
  const name = model.toLowerCase().slice(model.lastIndexOf('/') + 1)
  const { low, most } = BY_MODEL.find((row) => row.model.test(name))?.tokens ?? OTHERS
  return detail === 'low' ? low : most
}

function tiles(base: number, each: number): ImageTokens {
  return { low: base, most: base + 8 * each }
}

/** At low detail the image is 512 pixels square: 256 patches. */
function patches(factor: number): ImageTokens {
  return { low: Math.ceil(256 * factor), most: Math.ceil(1536 * factor) }
}
