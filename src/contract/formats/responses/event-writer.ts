/** Writes the typed events of one stream, numbered from 0. */
export class EventWriter {
  private sequence = 0

  /** @returns one complete SSE frame; OpenAI names the event in both the `event` field and the data */
  write(type: string, fields: Readonly<Record<string, unknown>>): string {
    const data = JSON.stringify({ type, sequence_number: this.sequence++, ...fields })
    return `event: ${type}\ndata: ${data}\n\n`
  }
}
