import { describe, expect, it } from 'vitest'
import { FaultRules, parseFaultHeader, parseFaultRule } from './faults.ts'

describe('faults', () => {
  it('parseFaultHeader() reads every setting of the contract', () => {
    const header =
      'latency=200,jitter=50, ttft=80,tps=60,status=429,retry-after=1,fail=0.1,cut=12,stall=5,malformed=1,no-usage=1'
    expect(parseFaultHeader(header)).toEqual({
      latency: 200,
      jitter: 50,
      ttft: 80,
      tps: 60,
      status: 429,
      'retry-after': 1,
      fail: 0.1,
      cut: 12,
      stall: 5,
      malformed: 1,
      'no-usage': 1,
    })
  })

  it('parseFaultHeader() takes a name alone as a switch', () => {
    expect(parseFaultHeader('hang,content-type=text/html')).toEqual({ hang: 1, 'content-type': 'text/html' })
  })

  it.each(['latncy=1', 'latency=soon', 'fail=2', 'status=99', 'cut=-1', 'cut=1.5', 'latency='])(
    'parseFaultHeader() refuses %s',
    (header) => {
      expect(() => parseFaultHeader(header)).toThrow()
    },
  )

  it.each([[null], [[]], [{ times: 0 }], [{ match: 'gpt' }], [{ stats: 500 }], [{ 'content-type': 'a\nb' }]])(
    'parseFaultRule() refuses %j',
    (body) => {
      expect(() => parseFaultRule(body)).toThrow()
    },
  )

  it('FaultRules.take() applies the first rule that matches, as often as it may', () => {
    const rules = new FaultRules()
    rules.replace(
      [
        { status: 503, match: { model: 'a' }, times: 2 },
        { latency: 5, match: { path: '/v1/chat' } },
      ].map(parseFaultRule),
    )
    expect(rules.take('a', '/v1/messages')).toEqual({ status: 503 })
    expect(rules.take('b', '/v1/chat/completions')).toEqual({ latency: 5 })
    expect(rules.take('b', '/v1/messages')).toEqual({})
    expect(rules.take('a', '/v1/chat/completions')).toEqual({ status: 503 })
    expect(rules.take('a', '/v1/chat/completions')).toEqual({ latency: 5 })
  })

  it('FaultRules.replace() with no settings clears', () => {
    const rules = new FaultRules()
    rules.replace([parseFaultRule({ status: 500 })])
    rules.replace([parseFaultRule({})])
    expect(rules.list()).toEqual([])
  })
})
