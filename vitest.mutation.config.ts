import { defineConfig } from 'vitest/config'

/** The unit tests of the money, alone: what Stryker runs against each mutant needs no database and no Redis. */
export default defineConfig({
  test: {
    include: ['src/ledger/*.test.ts', 'src/limits/**/*.test.ts', 'src/core/money.test.ts'],
    testTimeout: 20_000,
  },
})
