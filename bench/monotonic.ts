/** @returns microseconds of the system's monotonic clock: on Linux the same in every process, so they compare */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + nanoseconds / 1000
}
