/**
 * Does the same for many at once: whoever asks before it begins is in it, whoever asks later in the next one.
 *
 * @param work calls `begin` for the names when it begins; where it ends without, they are forgotten
 * @returns asks for one name; resolves or rejects as the work does that it was in
 */
export function gathering(
  work: (begin: () => ReadonlySet<string>) => Promise<void>,
): (name: string) => Promise<void> {
  let next: { readonly names: Set<string>; readonly done: Promise<void> } | undefined

  return (name) => {
    if (next === undefined) {
      const names = new Set<string>()
      const close = () => {
        if (next?.names === names) next = undefined
        return names
      }
      next = {
        names,
        done: Promise.resolve()
          .then(() => work(close))
          .finally(close),
      }
    }
    next.names.add(name)
    return next.done
  }
}
