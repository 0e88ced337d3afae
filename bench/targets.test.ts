import { expect, test } from 'vitest'
import type { Figures, JsonFigures, StreamFigures } from './figures.ts'
import { judge } from './targets.ts'

const json = (subject: 'gatehouse' | 'portkey', cpuUs: number, callsPerSecond = 1000): JsonFigures => ({
  subject,
  callsPerSecond: 5000,
  p50Ms: 3,
  p99Ms: 9,
  cpuUs,
  cpuUsRange: [cpuUs, cpuUs],
  rssMegabytes: 200,
  paced: { callsPerSecond, addedP50Ms: 0.2, addedP99Ms: 1, cpuUs },
  errors: 0,
  firstError: null,
})
const streams = (parallel: number, byteClean: number, addedFirstPieceP99Ms = 1): StreamFigures => ({
  subject: 'gatehouse',
  parallel,
  peakParallel: parallel,
  streams: 1000,
  complete: 1000,
  byteClean,
  firstProblem: null,
  addedFirstPieceP50Ms: 0.2,
  addedFirstPieceP99Ms,
  addedGapP50Ms: 0,
  addedGapP99Ms: 1,
  cpuUsPerPiece: 40,
})
const missed = (figures: Figures) => judge(figures).flatMap(({ met, name }) => (met ? [] : [name]))

test('judge() finds nothing missed where all is within its target', () => {
  const figures = {
    json: [json('gatehouse', 80), json('portkey', 320)],
    streams: [streams(100, 1000, 2), streams(512, 1000)],
  }
  expect(missed(figures)).toEqual([])
  expect(judge(figures)).toHaveLength(8)
})

test('judge() finds what is above its target', () => {
  const figures = {
    json: [json('gatehouse', 81), json('portkey', 320)],
    streams: [streams(100, 1000, 2.1), streams(512, 999)],
  }
  expect(missed(figures)).toEqual([
    'CPU of a JSON call with key check and ledger',
    'the same, as a share of Portkey’s',
    'added time to first token, p99 at 100 streams',
    '512 parallel streams, complete and byte-clean',
  ])
})

test('judge() takes no figure of a lower rate for one at 1000 calls/s', () => {
  const figures = { json: [json('gatehouse', 60, 500), json('portkey', 320)], streams: [] }
  expect(missed(figures)).toEqual(['added p50 at 1000 calls/s', 'added p99 at 1000 calls/s'])
})

test('judge() says nothing of what was not measured', () => {
  expect(judge({ json: [], streams: [] })).toEqual([])
})
