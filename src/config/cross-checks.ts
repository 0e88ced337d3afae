import type { Finding } from './problem.ts'
import { didYouMean } from './suggest.ts'
import { isMap } from './tree.ts'

/** What one key must know of another. These checks read the untyped tree, so that they speak beside the schema's. */

/** @returns findings that make the configuration unusable */
export function checkNames(tree: unknown, knownKinds: readonly string[]): Finding[] {
  const root = isMap(tree) ? tree : {}
  const providers = isMap(root.providers) ? root.providers : {}
  const models = isMap(root.models) ? root.models : {}
  return [
    ...Object.entries(providers).flatMap(([name, provider]) => checkKind(name, provider, knownKinds)),
    ...Object.entries(models).flatMap(([name, route]) => checkRoute(name, route, Object.keys(providers))),
    ...checkJournal(root.storage),
  ]
}

function checkJournal(storage: unknown): Finding[] {
  if (!isMap(storage) || storage.journal !== 'redis') return []
  const { redis = 'none' } = storage
  if (redis !== 'none') return []
  const message = '`redis` needs the URL of one in `storage.redis`'
  return [{ path: ['storage', 'journal'], part: 'value', message }]
}

function checkKind(name: string, provider: unknown, knownKinds: readonly string[]): Finding[] {
  const kind = isMap(provider) ? provider.kind : undefined
  if (typeof kind !== 'string' || kind === '' || knownKinds.includes(kind)) return []
  const hint = didYouMean(kind, knownKinds) || ` Known: ${knownKinds.map((one) => `\`${one}\``).join(', ')}.`
  return [
    {
      path: ['providers', name, 'kind'],
      part: 'value',
      message: `there is no kind of provider \`${kind}\`.${hint}`,
    },
  ]
}

function checkRoute(name: string, route: unknown, providers: readonly string[]): Finding[] {
  const findings: Finding[] = []
  if (name === 'auto') {
    const message = 'is reserved: `auto` means that the task picks the model'
    findings.push({ path: ['models', name], part: 'key', message })
  }
  const targets: unknown = isMap(route) ? route.targets : undefined
  if (!Array.isArray(targets)) return findings
  targets.forEach((target: unknown, index) => {
    const path = ['models', name, 'targets', index]
    if (isMap(target) && typeof target.provider === 'string' && target.provider !== '') {
      findings.push(...checkProvider(target.provider, [...path, 'provider'], providers))
    } else if (typeof target === 'string' && target.includes('/')) {
      findings.push(...checkProvider(target.slice(0, target.indexOf('/')), path, providers))
    }
  })
  return findings
}

function checkProvider(name: string, path: (string | number)[], providers: readonly string[]): Finding[] {
  if (providers.includes(name)) return []
  const known =
    providers.length === 0
      ? ' None is configured.'
      : ` Known: ${providers.map((one) => `\`${one}\``).join(', ')}.`
  return [
    {
      path,
      part: 'value',
      message: `there is no provider \`${name}\`.${didYouMean(name, providers) || known}`,
    },
  ]
}

/** @returns findings that are worth a word, because the key will have no effect or not the one meant */
export function doubtNames(tree: unknown): Finding[] {
  const root = isMap(tree) ? tree : {}
  const providers = Object.keys(isMap(root.providers) ? root.providers : {})
  const models = Object.keys(isMap(root.models) ? root.models : {})
  const prices = isMap(root.prices) ? root.prices : {}
  const overrides = Object.keys(isMap(prices.overrides) ? prices.overrides : {})
  const tasks = Object.entries(isMap(root.tasks) ? root.tasks : {})
  return [
    ...overrides.flatMap((name): Finding[] => {
      const provider = name.slice(0, Math.max(0, name.indexOf('/')))
      if (provider === '' || providers.includes(provider)) return []
      const message = `there is no provider \`${provider}\`, so this price is never used.${didYouMean(provider, providers)}`
      return [{ path: ['prices', 'overrides', name], part: 'key', message }]
    }),
    ...tasks.flatMap(([task, value]): Finding[] => {
      const model = isMap(value) ? value.model : undefined
      if (typeof model !== 'string' || model === '' || models.includes(model)) return []
      if (model.includes('/') && providers.includes(model.slice(0, model.indexOf('/')))) return []
      const message = `\`${model}\` is no route; calls go where a provider knows a model of this name.${didYouMean(model, models)}`
      return [{ path: ['tasks', task, 'model'], part: 'value', message }]
    }),
  ]
}
