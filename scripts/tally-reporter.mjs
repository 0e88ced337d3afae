import { writeFileSync } from 'node:fs'

/**
 * A reporter for vitest that writes what `npm test` counts, as JSON, to the file that `TALLY_FILE` names. The JSON
 * reporter of vitest 5.1 leaves out the reason of a skipped test.
 */
export default class TallyReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failed: unhandledErrors.length, skipped: [] }
    for (const module of modules) {
      tally.failed += module.errors().length
      for (const suite of module.children.allSuites()) tally.failed += suite.errors().length
      for (const test of module.children.allTests()) count(tally, module, test)
    }
    writeFileSync(process.env.TALLY_FILE, JSON.stringify(tally))
  }
}

function count(tally, module, test) {
  const result = test.result()
  if (result.state === 'passed') tally.passed++
  else if (result.state === 'skipped') {
    const name = `${module.relativeModuleId} > ${test.fullName}`
    const unwritten = test.options.mode === 'todo' ? 'not written yet' : 'no reason given'
    tally.skipped.push({ name, reason: result.note ?? unwritten })
  }
  // A test that never ran, because the run was cut short, has shown nothing.
  else tally.failed++
}
