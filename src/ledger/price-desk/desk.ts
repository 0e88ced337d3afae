import { GatewayError } from '../../core/errors.ts'
import type { ListPrice } from '../price-rates.ts'
import type { PriceDirectory } from './directory.ts'
import type { PriceDataEntry, PriceOverride, PriceStore } from './ports.ts'
import { createPriceReport, type PriceReport, type ReportOptions } from './report.ts'
import { createPriceUpdate, type PriceUpdate } from './update.ts'

/** Whatever people do about prices. */
export interface Prices extends PriceReport, PriceUpdate {
  /** The history of an organization's prices, newest first. */
  overridesOf(organizationId: string): Promise<readonly PriceOverride[]>
  /**
   * Gives an organization a price of its own, from now on or from a later moment.
   *
   * @throws GatewayError `invalid_request`
   */
  put(organizationId: string, target: string, price: ListPrice, validFrom?: Date): Promise<PriceOverride>
  /**
   * From now on, or from a later moment, the organization pays what everybody pays.
   *
   * @throws GatewayError `not_found` where it has no such price of its own
   */
  remove(organizationId: string, target: string, validFrom?: Date): Promise<PriceOverride>
  /** What the data in force is named, and since when it is; `undefined` = it came with the build. */
  dataInForce(): { readonly version: string; readonly since: Date | undefined }
  /** The data that was in force, newest first. */
  dataHistory(): Promise<readonly PriceDataEntry[]>
}

export interface PricesOptions extends ReportOptions {
  readonly store: PriceStore
  readonly directory: PriceDirectory
  readonly newId: () => string
}

const HISTORY_MAX = 1000
const TARGETS_MAX = 1000

export function createPrices(options: PricesOptions): Prices {
  const { store, directory, newId, now } = options

  function momentOf(validFrom: Date | undefined): Date {
    const nowMs = now()
    if (validFrom === undefined) return new Date(nowMs)
    if (validFrom.getTime() >= nowMs) return validFrom
    throw new GatewayError('invalid_request', {
      message: 'A price cannot begin in the past: what was booked keeps the price it was booked at.',
      param: 'validFrom',
    })
  }

  async function add(
    organizationId: string,
    target: string,
    price: ListPrice | null,
    validFrom: Date,
  ): Promise<PriceOverride> {
    const added = await store.addOverride({ id: newId(), organizationId, target, price, validFrom })
    // Whoever changed it sees it at once; everybody else hears of it.
    await directory.refresh({ organizationId })
    return added
  }

  async function targetsOf(organizationId: string): Promise<ReadonlyMap<string, PriceOverride>> {
    const last = new Map<string, PriceOverride>()
    await store.loadOverrides(organizationId, new Date(now()), (page) => {
      for (const override of page) last.set(override.target, override)
    })
    return last
  }

  return {
    ...createPriceReport(options),
    ...createPriceUpdate(options),
    overridesOf: (organizationId) => store.listOverrides(organizationId, undefined, HISTORY_MAX),
    async put(organizationId, target, price, validFrom) {
      const at = momentOf(validFrom)
      requireTarget(target, options.inForce().providers)
      const known = await targetsOf(organizationId)
      if (known.size >= TARGETS_MAX && !known.has(target)) {
        throw new GatewayError('invalid_request', {
          message: `An organization can have ${TARGETS_MAX} prices of its own; a target may end in \`*\`.`,
          param: 'target',
        })
      }
      return add(organizationId, target, price, at)
    },
    async remove(organizationId, target, validFrom) {
      const at = momentOf(validFrom)
      const last = (await targetsOf(organizationId)).get(target)
      if (last === undefined || last.price === null) {
        throw new GatewayError('not_found', {
          message: `The organization has no price of its own for \`${target.slice(0, 300)}\`.`,
          param: 'target',
        })
      }
      return add(organizationId, target, null, at)
    },
    dataInForce() {
      const { data, fromMs } = directory.dataAt(now())
      return { version: data.version, since: fromMs === 0 ? undefined : new Date(fromMs) }
    },
    dataHistory: () => store.listData(HISTORY_MAX),
  }
}

/** @throws GatewayError `invalid_request` where no call can ever be of that target */
function requireTarget(target: string, providers: readonly string[]): void {
  const provider = target.slice(0, target.indexOf('/'))
  if (providers.includes(provider)) return
  throw new GatewayError('invalid_request', {
    message: `There is no provider \`${provider.slice(0, 64)}\`. Configured: ${providers.join(', ')}.`,
    param: 'target',
  })
}
