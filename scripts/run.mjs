import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'

/**
 * Runs a program to its end with the packages' own programs first on the path, so that `node` is the one they bring.
 *
 * @param {string} root folder to run in
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ quiet?: boolean, env?: Record<string, string> }} [options] `quiet` collects what it prints
 * @returns {Promise<{ code: number, output: string }>} 127 where there is no such program
 */
export function run(root, command, args, options = {}) {
  const { quiet = false, env = {} } = options
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: binariesFirst(root), ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    })
    let output = ''
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout?.setEncoding('utf8').on('data', collect)
    child.stderr?.setEncoding('utf8').on('data', collect)
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

/** @param {string} root */
export function binariesFirst(root) {
  return [join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter)
}

/** @param {number} startedMs from `performance.now()` */
export function secondsSince(startedMs) {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
}
