#!/usr/bin/env node
import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { addAlerts } from './alerts.ts'
import { addBudgets } from './budgets.ts'
import { addConfig } from './config.ts'
import { addCostAllocation } from './cost-allocation.ts'
import { addData } from './data.ts'
import { addInit } from './init.ts'
import { addLimits } from './limits.ts'
import { addMigrate } from './migrate.ts'
import { fail } from './output.ts'
import { addPrices } from './prices.ts'
import { addServe } from './serve.ts'
import { addSimulate } from './simulate.ts'

const program = new Command('gatehouse')
  .description(
    'The gate that every call to a language model passes through, and the house that keeps its books.',
  )
  .version(VERSION)
  .showHelpAfterError('(see --help)')
  .showSuggestionAfterError()
  .configureHelp({ showGlobalOptions: false })
  .exitOverride()

addServe(program)
addInit(program)
addConfig(program)
addMigrate(program)
addData(program)
addBudgets(program)
addLimits(program)
addCostAllocation(program)
addPrices(program)
addAlerts(program)
addSimulate(program)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = fail(error)
}
