import type { ChatTraits } from '../provider.ts'
import type { ModelTraits } from '../provider-kind.ts'

/** Ways in which models behind the Messages API differ. What is left out is the cautious answer. */
export interface AnthropicTraits extends ChatTraits {
  /**
   * Which of `temperature`, `top_p`, `top_k` it takes: all, `temperature` or `top_p` but not both, or none but the
   * defaults. Default: all.
   */
  readonly sampling?: 'all' | 'one' | 'none'
  /** How it is told to think: with `budget_tokens`, adaptively, either way, or not at all. Default: not at all. */
  readonly thinking?: 'budget' | 'either' | 'adaptive'
  /** How thinking is switched off: by leaving it out (the default), by a `type`, or never. */
  readonly thinkingOff?: 'omit' | 'disabled' | 'between_tools' | 'never'
  /** Whether a tool may be forced: always (the default), only while it does not think, or never. */
  readonly forcedTools?: 'always' | 'without-thinking' | 'never'
  /** Values of `output_config.effort`, least first. Default: it takes none. */
  readonly efforts?: readonly string[]
  /** Whether it takes `output_config.format` and `strict` tools. */
  readonly structuredOutputs?: boolean
  /** Whether it takes turns of role `system` inside the conversation. */
  readonly systemTurns?: boolean
  /** Whether it refuses a conversation that ends in an assistant turn to be continued. */
  readonly refusesPrefill?: boolean
}

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max']
const EFFORTS_4_6 = ['low', 'medium', 'high', 'max']

/** Matches one version of one or more lines, with or without a date, in the spellings of all clouds. */
function version(lines: string, major: number, minor: number): RegExp {
  // `claude-opus-4-20250514` is 4.0: a minor version has one digit, a date has eight.
  const rest = minor === 0 ? '(?:[-.]0(?!\\d))?(?![-.]\\d(?!\\d))' : `[-.]${minor}`
  return new RegExp(`claude-(?:${lines})-${major}${rest}(?!\\d)`)
}

/**
 * What each Claude takes, newest first; each row says only what the row before gets wrong about it.
 *
 * Sources, read in November 2026: platform.claude.com/docs/en/build-with-claude/effort (levels by model), the
 * migration guides below platform.claude.com/docs/en/models/ (sampling, thinking, prefill and forced tools of 4.6,
 * Fable 5, Opus 5.5, Sonnet 5.5, Haiku 5.5), docs.aws.amazon.com/bedrock claude-messages-adaptive-thinking,
 * github.com/langchain-ai/langchainjs @langchain/anthropic 1.5.13 (system turns by model), and
 * github.com/langchain-ai/langchain-aws/pull/1141 (forced tools beside thinking from 4.8 on).
 * A model that is newer than this table is taken for the strictest of the newest.
 */
export const CLAUDE_TRAITS: readonly ModelTraits<AnthropicTraits>[] = [
  {
    model: /claude/,
    traits: {
      // Thoughts count towards the cap: at 4096 an answer of a thinking model may end before it begins.
      outputTokensDefault: 16_384,
      sampling: 'none',
      thinking: 'adaptive',
      thinkingOff: 'never',
      forcedTools: 'never',
      efforts: EFFORTS,
      structuredOutputs: true,
      systemTurns: true,
      refusesPrefill: true,
    },
  },
  { model: version('sonnet', 5, 5), traits: { thinkingOff: 'between_tools' } },
  { model: version('haiku', 5, 5), traits: { thinkingOff: 'disabled', forcedTools: 'always' } },
  { model: version('opus|sonnet', 5, 0), traits: { thinkingOff: 'disabled', forcedTools: 'always' } },
  { model: version('fable|mythos', 5, 0), traits: { forcedTools: 'always' } },
  { model: version('opus', 4, 8), traits: { thinkingOff: 'omit', forcedTools: 'always' } },
  {
    model: version('opus', 4, 7),
    traits: { thinkingOff: 'omit', forcedTools: 'without-thinking', systemTurns: false },
  },
  {
    model: /claude-mythos-preview/,
    traits: { forcedTools: 'without-thinking', efforts: EFFORTS_4_6, systemTurns: false },
  },
  {
    model: version('opus|sonnet', 4, 6),
    traits: {
      sampling: 'one',
      thinking: 'either',
      thinkingOff: 'omit',
      forcedTools: 'without-thinking',
      efforts: EFFORTS_4_6,
      systemTurns: false,
    },
  },
  // Everything before 4.6.
  {
    model: /claude-(?:(?:opus|sonnet|haiku)-4(?![-.][6-9](?!\d))|[23][-.]|instant)/,
    traits: {
      sampling: 'one',
      thinking: 'budget',
      thinkingOff: 'omit',
      forcedTools: 'without-thinking',
      efforts: [],
      systemTurns: false,
      refusesPrefill: false,
    },
  },
  { model: version('opus|sonnet', 4, 0), traits: { sampling: 'all', structuredOutputs: false } },
  {
    model: /claude-(?:[23][-.]|instant)/,
    traits: { sampling: 'all', structuredOutputs: false, outputTokensDefault: 4096 },
  },
  {
    model: /claude-(?:3[-.](?:5|opus|sonnet|haiku)|2|instant)/,
    traits: { thinking: undefined, forcedTools: 'always' },
  },
]
