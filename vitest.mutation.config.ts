import { defineConfig } from 'vitest/config'

/**
 * The unit tests of the money, alone: what Stryker runs against each mutant needs no database and no Redis. The
 * property of admission is left out, because it takes seconds.
 */
export default defineConfig({
  test: {
    include: [
      'src/core/{mirror,money}.test.ts',
      'src/ledger/{call-cost,cost,drawn-tokens,price-overrides,price-units,prices,quote}.test.ts',
      'src/limits/{admission,admission-cover,admission-failures,admission-settle,admission-start}.test.ts',
      'src/limits/{admission-waiting,admit-stage,asked-output,call-hold,call-note,counters-buckets}.test.ts',
      'src/limits/{counters-once,demand,experience,growth,input-bytes,limit-errors,memory-counters}.test.ts',
      'src/limits/{meters,period,policy-book,policy-directory,quantiles,seeder,verdict,waiting-room}.test.ts',
    ],
    testTimeout: 20_000,
  },
})
