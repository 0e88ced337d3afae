import type { CpuProfile, ProfileNode } from './inspector.ts'

/** Where the time of a thread went; microseconds of the whole profile. */
export interface ProfileCosts {
  /** Everything but waiting. */
  readonly busyUs: number
  /** Time in the function itself, by function. */
  readonly selfUs: ReadonlyMap<string, number>
  /** Time in the function and all that it called, by function. */
  readonly totalUs: ReadonlyMap<string, number>
  /** Time in functions of a module itself. */
  readonly moduleUs: ReadonlyMap<string, number>
}

const IDLE = '(idle)'

/** @param root path of the checkout, which names are shortened by */
export function toCosts({ nodes, samples, timeDeltas }: CpuProfile, root: string): ProfileCosts {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(
    nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  )
  const nodeUs = new Map<number, number>()
  samples.forEach((id, index) => {
    // A sample's time is the distance to the next one.
    nodeUs.set(id, (nodeUs.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0))
  })
  const selfUs = new Map<string, number>()
  const totalUs = new Map<string, number>()
  const moduleUs = new Map<string, number>()
  let busyUs = 0
  for (const [id, us] of nodeUs) {
    const node = byId.get(id)
    if (node === undefined || node.callFrame.functionName === IDLE) continue
    busyUs += us
    increase(selfUs, nameOf(node, root), us)
    increase(moduleUs, moduleOf(node, root), us)
    const callers = new Set<string>()
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const caller = byId.get(at)
      if (caller !== undefined) callers.add(nameOf(caller, root))
    }
    for (const caller of callers) increase(totalUs, caller, us)
  }
  return { busyUs, selfUs, totalUs, moduleUs }
}

function nameOf({ callFrame }: ProfileNode, root: string): string {
  const { functionName, url, lineNumber } = callFrame
  const file = shortFile(url, root)
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`
}

/** @returns the folder of our own sources, the package, or the part of Node.js */
function moduleOf({ callFrame }: ProfileNode, root: string): string {
  const { functionName, url } = callFrame
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)'
  const file = shortFile(url, root)
  const inPackage = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]
  if (inPackage !== undefined) return inPackage
  if (file.startsWith('node:')) return file.split('/').slice(0, 2).join('/')
  return file.split('/').slice(0, 2).join('/')
}

function shortFile(url: string, root: string): string {
  return url.replace(`file://${root}/`, '').replace(`${root}/`, '')
}

function increase(map: Map<string, number>, key: string, by: number): void {
  map.set(key, (map.get(key) ?? 0) + by)
}
