import type { AlertMessage } from './channel.ts'

const SEVERITY_WORDS = { low: 'Low', medium: 'Medium', high: 'High', critical: 'Critical' } as const
const FACTS_MAX = 10
const FACT_LENGTH_MAX = 200

/** A detail of an alert, in words. */
export interface Fact {
  readonly label: string
  readonly value: string
}

/** @returns the first line: `High: Acme has used 80 % of its budget.` */
export function headlineOf({ moment, alert }: AlertMessage): string {
  if (moment === 'resolved') return `Resolved: ${alert.title}`
  if (moment === 'test') return `Test: ${alert.title}`
  return `${SEVERITY_WORDS[alert.severity]}: ${alert.title}`
}

/** @returns the details that people read, the first ten; the webhook has all of them as they are */
export function factsOf({ alert }: AlertMessage): Fact[] {
  const facts: Fact[] = []
  for (const [name, value] of Object.entries(alert.detail)) {
    // Nano-dollars stand beside the dollars that people read.
    if (facts.length === FACTS_MAX || value === null || value === undefined || name.endsWith('NanoUsd'))
      continue
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
    facts.push({ label: toLabel(name), value: clip(text, FACT_LENGTH_MAX) })
  }
  return facts
}

/** @returns the whole message for where there is only text */
export function textOf(message: AlertMessage): string {
  const { alert } = message
  return [
    headlineOf(message),
    '',
    ...factsOf(message).map(({ label, value }) => `${label}: ${value}`),
    `Kind: ${alert.kind}`,
    `Raised: ${alert.raisedAt.toISOString()}`,
    ...(alert.resolvedAt === null ? [] : [`Resolved: ${alert.resolvedAt.toISOString()}`]),
    `Alert: ${alert.id}`,
  ].join('\n')
}

/** @returns at most so many characters, the last one an ellipsis where something is missing */
export function clip(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1).toWellFormed()}…`
}

/** `usedUsd` → `Used USD`, `periodStart` → `Period start` */
function toLabel(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`
    .replace(/\busd\b/gi, 'USD')
    .replace(/\bid\b/g, 'id')
}
