import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusively } from './exclusively.mjs'
import { runtime } from './packages.mjs'
import { prepareInstallation } from './prepare.mjs'
import { run, secondsSince } from './run.mjs'
import { prepareSystem } from './system-packages.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Each counts as one, passed or failed. The build comes before the tests, which start what was built. */
const STEPS = [
  { name: 'lint', script: 'node_modules/@biomejs/biome/bin/biome', args: ['check', '.'] },
  { name: 'knip', script: 'node_modules/knip/bin/knip.js', args: ['--no-progress'] },
  { name: 'types', script: 'node_modules/typescript/bin/tsc', args: ['--noEmit'] },
  { name: 'build', script: 'scripts/build.mjs', args: [], writes: true },
]

try {
  await prepareInstallation(root)
  await prepareSystem(root)
  await test(runtime(root))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

/** Runs everything, whatever fails, so that one run shows every problem. */
async function test(node) {
  const total = { passed: 0, failed: 0, skipped: [] }
  for (const step of STEPS) {
    const startedMs = performance.now()
    const take = () => run(root, node, [join(root, step.script), ...step.args], { quiet: true })
    // A start at the same time must not find a half of dist.
    const { code, output } = await (step.writes ? exclusively(root, take) : take())
    if (code === 0) total.passed++
    else {
      total.failed++
      console.log(output.trimEnd())
    }
    console.log(`${code === 0 ? '✓' : '✗'} ${step.name} (${secondsSince(startedMs)})`)
  }
  const tests = await runTests(node)
  total.passed += tests.passed
  total.failed += tests.failed
  for (const { name, reason } of tests.skipped) console.log(`- skipped: ${name}: ${reason}`)
  console.log(`${total.passed} passed, ${total.failed} failed, ${tests.skipped.length} skipped`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

async function runTests(node) {
  const startedMs = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
  const file = join(folder, 'tally.json')
  try {
    const args = [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      `--reporter=${join(root, 'scripts/tally-reporter.mjs')}`,
      ...process.argv.slice(2),
    ]
    const { code } = await run(root, node, args, { env: { TALLY_FILE: file } })
    const tally = readTally(file)
    // A run that fails without a failed test (none found, a crash) is a failure all the same.
    if (code !== 0 && tally.failed === 0) tally.failed = 1
    console.log(`${tally.failed === 0 ? '✓' : '✗'} tests (${secondsSince(startedMs)})`)
    return tally
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 1, skipped: [] }
  }
}
