import { describe, expect, it } from 'vitest'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import { createEvents } from './events.ts'

describe('createEvents()', () => {
  it('tells its listeners, and of a listener that throws', () => {
    const errors: unknown[] = []
    const heard: string[] = []
    const events = createEvents((error) => errors.push(error))
    const exchange = makeExchange()
    events.on('request', ({ id }) => heard.push(id))
    expect(events.emit('request', exchange)).toBe(true)
    const defect = new Error('no')
    events.once('request', () => {
      throw defect
    })
    events.emit('request', exchange)
    events.emit('request', exchange)
    expect(heard).toEqual(['req_1', 'req_1', 'req_1'])
    expect(errors).toEqual([defect])
  })
})
