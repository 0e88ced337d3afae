import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Asked } from './conversation.ts'
import { toDeltas } from './deltas.ts'
import { toAnswer, toWord } from './script.ts'
import { countTokens } from './tokens.ts'

function asked(changes: Partial<Asked> = {}): Asked {
  return {
    model: 'echo',
    inputTokens: 10,
    prompt: 'Say this',
    toolResults: [],
    prefill: '',
    tools: [],
    toolChoice: 'auto',
    parallelCalls: true,
    outputTokensMax: Number.POSITIVE_INFINITY,
    stops: [],
    choices: 1,
    answerSchema: undefined,
    ...changes,
  }
}

function answer(changes: Partial<Asked> = {}, settings = {}) {
  return toAnswer(asked(changes), settings, (prefix) => `${prefix}1`)
}

const weather = { name: 'get_weather', schema: { type: 'object', properties: { city: { type: 'string' } } } }
const time = { name: 'get_time', schema: {} }

describe('toAnswer()', () => {
  it('repeats the last user text', () => {
    expect(answer()).toMatchObject({
      choices: [{ text: 'Say this', finish: 'stop' }],
      inputTokens: 10,
      outputTokens: 2,
    })
  })

  it('tells several answers apart', () => {
    expect(answer({ choices: 3 }).choices.map((choice) => choice.text)).toEqual([
      'Say this',
      'Say this (2)',
      'Say this (3)',
    ])
  })

  it('goes on where a prefill ends', () => {
    expect(answer({ prefill: 'Say ' }).choices[0]?.text).toBe('this')
  })

  it('charges fixed-200-50 exactly', () => {
    const { inputTokens, outputTokens, choices } = answer({ model: 'fixed-200-50' })
    expect([inputTokens, outputTokens, countTokens(choices[0]?.text ?? '')]).toEqual([200, 50, 50])
  })

  it('takes the cached part of fixed-200-50-120 from the name', () => {
    expect(answer({ model: 'fixed-200-50-120' })).toMatchObject({ inputTokens: 200, cachedTokens: 120 })
  })

  it('stops at the earliest stop sequence and names it', () => {
    const [choice] = answer({ prompt: 'one two three', stops: ['three', 'two'] }).choices
    expect(choice).toMatchObject({ text: 'one ', finish: 'stop', stopSequence: 'two' })
  })

  it('never says more tokens than allowed, and counts what it says', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.nat(40),
        fc.constantFrom('echo', 'reasoner', 'fixed-9-30'),
        (prompt, outputTokensMax, model) => {
          const { choices, outputTokens } = answer({ prompt, outputTokensMax, model })
          const said = choices.reduce(
            (sum, { text, reasoning }) => sum + countTokens(text) + countTokens(reasoning),
            0,
          )
          expect(outputTokens).toBe(said)
          expect(outputTokens).toBeLessThanOrEqual(outputTokensMax)
        },
      ),
    )
  })

  it('calls every tool that the user mentions, with arguments from the prompt', () => {
    const { choices } = answer({ prompt: 'Ask get_weather and get_time for "Rome"', tools: [weather, time] })
    expect(choices[0]).toMatchObject({
      finish: 'tool-calls',
      calls: [
        { name: 'get_weather', arguments: '{"city":"Rome"}' },
        { name: 'get_time', arguments: '{}' },
      ],
    })
  })

  it('calls one tool where calls may not be parallel', () => {
    const prompt = 'get_weather, get_time'
    expect(answer({ prompt, tools: [weather, time], parallelCalls: false }).choices[0]?.calls).toHaveLength(1)
  })

  it('does not take a part of a name for the name', () => {
    expect(answer({ prompt: 'get_weather_now', tools: [weather] }).choices[0]?.calls).toEqual([])
  })

  it.each([
    ['required' as const, 'get_weather'],
    [{ names: ['get_time'] }, 'get_time'],
  ])('calls a tool unasked for tool choice %j', (toolChoice, name) => {
    const [choice] = answer({ tools: [weather, time], toolChoice }).choices
    expect(choice?.calls.map((call) => call.name)).toEqual([name])
  })

  it('answers with the results once they are there, even where a call is required', () => {
    const [choice] = answer({
      tools: [weather],
      toolChoice: 'required',
      toolResults: ['21 degrees', 'sunny'],
    }).choices
    expect(choice?.text).toBe('The tools say: 21 degrees; sunny')
  })

  it('leaves out a call that does not fit', () => {
    const [choice] = answer({ prompt: 'get_weather', tools: [weather], outputTokensMax: 5 }).choices
    expect(choice).toMatchObject({ calls: [], finish: 'length' })
  })

  it('answers a schema with JSON', () => {
    const schema = { type: 'object', properties: { n: { type: 'integer' } } }
    expect(answer({ answerSchema: schema }).choices[0]?.text).toBe('{"n":1}')
  })

  it('makes a text of exactly so many bytes', () => {
    expect(answer({}, { big: 100_000 }).choices[0]?.text).toHaveLength(100_000)
  })
})

describe('toDeltas()', () => {
  it('says the whole answer in parts that cost the same together', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (prompt, called) => {
        const { choices, outputTokens } = answer({
          model: called ? 'echo' : 'reasoner',
          prompt: called ? `get_weather "${prompt}"` : prompt,
          tools: [weather],
        })
        const [choice] = choices
        if (choice === undefined) throw new Error('There is no choice.')
        const deltas = [...toDeltas(choice)]
        const joined = (kind: string) =>
          deltas.map((delta) => (delta.kind === kind && 'text' in delta ? delta.text : '')).join('')
        expect(deltas.reduce((sum, delta) => sum + delta.tokens, 0)).toBe(outputTokens)
        expect(joined('text')).toBe(choice.text)
        expect(joined('reasoning')).toBe(choice.reasoning)
        expect(joined('arguments')).toBe(choice.calls.map((call) => call.arguments).join(''))
      }),
    )
  })
})

describe('toWord()', () => {
  it.each([
    ['weather in "New York" please', 'New York'],
    ['"a" then "b"', 'b'],
    ['no quotes', 'Paris'],
    ['one " only', 'Paris'],
    ['"', 'Paris'],
  ])('%j gives %j', (prompt, word) => {
    expect(toWord(prompt)).toBe(word)
  })
})
