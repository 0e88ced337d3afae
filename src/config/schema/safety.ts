import { z } from 'zod'

/** What is done about a finding. */
export const SAFETY_ACTIONS = ['off', 'flag', 'redact', 'block', 'review'] as const

function action(fallback: (typeof SAFETY_ACTIONS)[number], description: string) {
  return z.enum(SAFETY_ACTIONS).default(fallback).describe(description)
}

export const safetySchema = z
  .strictObject({
    pii: action('redact', 'Personal data in requests.'),
    injection: action('flag', 'Attempts to override instructions.'),
    moderation: action('flag', 'Harmful content in requests.'),
    output: action('redact', 'Personal data and harmful content in replies.'),
    onModeratorDown: z
      .enum(['local', 'refuse', 'review'])
      .default('local')
      .describe('When a remote moderator fails: the local one decides, or the call is refused or reviewed.'),
  })
  .prefault({})
  .describe('What is inspected and what follows. Each can be overridden per organization.')
