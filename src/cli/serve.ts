import type { Command } from 'commander'
import type { LoadedConfig } from '../config/load.ts'
import type { Override } from '../config/override.ts'
import { watchConfig } from '../config/watch.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { createServer } from '../http/server.ts'
import { prepareFirstStart } from '../identity/first-start.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { renderBanner } from './banner.ts'
import { LOAD, load, openBreakers, openCounters, openJournal, openMigrated } from './open.ts'
import { fail } from './output.ts'
import { requireFreePort } from './port.ts'
import { Opened, stopOnSignals } from './shutdown.ts'

interface ServeFlags {
  readonly port?: string
  readonly host?: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('serve the data plane, the control API and the API reader on one port')
    .option('-p, --port <number>', 'port to listen on; 0 takes any free one')
    .option('--host <address>', 'address to listen on')
    .option('--log-level <level>', 'debug, info, warn or error', 'warn')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse serve                          with gatehouse.yaml, or with nothing at all
  gatehouse serve --port 8080 --host 0.0.0.0
  OPENAI_API_KEY=… gatehouse serve         OpenAI's models without a configuration`,
    )
    .action(serve)
}

async function serve(flags: ServeFlags): Promise<void> {
  const startedMs = performance.now()
  const logger = createLogger(flags.logLevel)
  const overrides = toOverrides(flags)
  const loaded = await load(overrides)
  for (const warning of loaded.warnings) logger.warn({ ...warning }, 'configuration')

  const opened = new Opened()
  try {
    await start(loaded, overrides, opened, logger, startedMs)
  } catch (error) {
    await opened.close((reason) => logger.error({ error: reason }, 'could not be closed'))
    throw error
  }
}

async function start(
  loaded: LoadedConfig,
  overrides: readonly Override[],
  opened: Opened,
  logger: Logger,
  startedMs: number,
): Promise<void> {
  // Keys are shown once: they must not be made by a start that then finds its port taken.
  await requireFreePort(loaded.config.server)
  const database = await openMigrated(loaded, logger)
  opened.add(() => database.close())
  const journal = await openJournal(loaded, logger)
  opened.add(() => journal.close())
  const { counters, close: closeCounters } = await openCounters(loaded, logger)
  opened.add(closeCounters)
  const breakers = openBreakers(loaded, logger)
  opened.add(async () => breakers?.close())
  const gateway = await createGateway({
    config: loaded.config,
    database,
    journal,
    counters,
    ...(breakers === undefined ? {} : { breakers: breakers.breakers }),
    logger,
  })
  opened.add(() => gateway.close())
  const server = await createServer(gateway)
  opened.add(() => server.drain())
  const firstKey = await prepareFirstStart(gateway.identityStore, gateway.organizations)
  const url = await server.listen()
  const watch = followConfig(gateway, loaded, overrides, logger)
  opened.add(() => watch.close())
  stopOnSignals({
    logger,
    cut: () => server.cut(),
    async drain() {
      process.exitCode = 0
      await opened.close((error) => {
        process.exitCode = fail(error)
      })
    },
  })
  process.on('SIGHUP', () => void watch.reload())

  // Last, so that whoever waits for it may also stop what it announces.
  process.stdout.write(
    renderBanner({
      url,
      readyMs: performance.now() - startedMs,
      database: database.kind,
      redis: loaded.config.storage.redis !== 'none',
      dataDir: loaded.config.storage.dataDir,
      file: loaded.file,
      models: gateway.models().names,
      example: gateway.models().example,
      simulated: Object.keys(loaded.config.providers).length === 0,
      firstKey,
      adminKey: gateway.adminKey.generated,
    }),
  )
}

function followConfig(
  gateway: Gateway,
  loaded: LoadedConfig,
  overrides: readonly Override[],
  logger: Logger,
) {
  return watchConfig({
    loaded,
    load: { ...LOAD, overrides },
    onChange({ loaded: { config, hash }, restartNeeded }) {
      gateway.configure(config).then(
        () => logger.info({ hash, restartNeeded }, 'configuration changed'),
        (error: unknown) => logger.error({ error }, 'the new configuration could not be put in force'),
      )
      if (restartNeeded.length > 0) logger.warn({ restartNeeded }, 'these changes need a restart')
    },
    onRefused(error) {
      logger.error({ problems: error.problems }, 'configuration refused; the last good one stays in force')
    },
  })
}

function toOverrides({ port, host }: ServeFlags): Override[] {
  const overrides: Override[] = []
  if (port !== undefined) overrides.push({ path: ['server', 'port'], value: toNumber(port), from: '--port' })
  if (host !== undefined) overrides.push({ path: ['server', 'host'], value: host, from: '--host' })
  return overrides
}

/** What is no number stays a text, so that the configuration refuses it with its own words. */
function toNumber(text: string): unknown {
  return /^\d+$/.test(text) ? Number(text) : text
}
