/**
 * Gives calls of tools the ids that Gemini leaves out. The same request always gets the same ids.
 */
export interface CallIds {
  /** @returns the id of a call, made up where it has none */
  ofCall(id: string | undefined, name: string): string
  /** @returns the id of the call that a result answers: where it names none, the first open call of its name */
  ofResult(id: string | undefined, name: string): string
}

export function createCallIds(): CallIds {
  const used = new Set<string>()
  const open: { id: string; name: string }[] = []
  let count = 0

  function invent(): string {
    let id: string
    do id = `call_${count++}`
    while (used.has(id))
    return id
  }
  return {
    ofCall(given, name) {
      const id = given === undefined || given === '' ? invent() : given
      used.add(id)
      open.push({ id, name })
      return id
    },
    ofResult(given, name) {
      const named = given !== undefined && given !== ''
      const position = open.findIndex((call) => (named ? call.id === given : call.name === name))
      const [answered] = position < 0 ? [] : open.splice(position, 1)
      if (named) return given
      return answered?.id ?? invent()
    },
  }
}
