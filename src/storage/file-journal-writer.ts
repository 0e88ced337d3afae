import {
  type OpenSegmentFile,
  removeSegment,
  type Segment,
  type SegmentFile,
  segmentPath,
} from './file-journal-files.ts'

export interface SegmentWriterOptions {
  readonly directory: string
  readonly segmentBytesMax: number
  readonly openFile: OpenSegmentFile
  /** All segments, oldest first; a new one is added at the end. */
  readonly segments: Segment[]
}

/** Appends to the newest segment, and begins another when that is full or could not be written. */
export interface SegmentWriter {
  /**
   * @param firstNumber of the records in `bytes`
   * @returns where they begin, once they are durable
   * @throws the system's error; then nothing of it counts
   */
  append(bytes: Buffer, firstNumber: number): Promise<{ readonly segment: Segment; readonly offset: number }>
  close(): Promise<void>
}

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  const { directory, segmentBytesMax, openFile, segments } = options
  let active: { readonly segment: Segment; readonly file: SegmentFile } | undefined

  async function begin(firstNumber: number) {
    await finish()
    const path = segmentPath(directory, firstNumber)
    const segment: Segment = { path, firstNumber, bytes: 0 }
    active = { segment, file: await openFile(path) }
    segments.push(segment)
    return active
  }

  async function finish(): Promise<void> {
    const finished = active
    active = undefined
    await finished?.file.close()
  }

  /** After an error nobody knows what the disk has, so that nothing is written behind it. */
  async function abandon({ segment, file }: NonNullable<typeof active>): Promise<void> {
    active = undefined
    try {
      await file.truncate(segment.bytes)
      await file.close()
      if (segment.bytes === 0) await removeSegment(segment)
    } catch {
      // What is left there is stepped over when it is read.
    }
    if (segment.bytes === 0) segments.splice(segments.indexOf(segment), 1)
  }

  return {
    async append(bytes, firstNumber) {
      const current =
        active === undefined || active.segment.bytes >= segmentBytesMax ? await begin(firstNumber) : active
      const { segment, file } = current
      const offset = segment.bytes
      try {
        await file.write(bytes, offset)
      } catch (error) {
        await abandon(current)
        throw error
      }
      segment.bytes += bytes.length
      return { segment, offset }
    },
    close: finish,
  }
}
