import PDFDocument from 'pdfkit'
import { toPrintable } from './pdf-text.ts'

export const INK = '#18212f'
export const MUTED = '#667085'
export const FAINT = '#98a2b3'
export const RULE = '#e4e7ec'
export const PAPER = '#f5f8f9'
export const ACCENT = '#0f4c5c'
export const BAR = '#7fb3bf'
export const AMBER = '#b54708'

export const PAGE_WIDTH = 595.28
export const PAGE_HEIGHT = 841.89
export const MARGIN = 48
export const WIDTH = PAGE_WIDTH - 2 * MARGIN
/** Where what is on a page ends; below it is its foot. */
export const BOTTOM = PAGE_HEIGHT - 70

const REGULAR = 'Helvetica'
const BOLD = 'Helvetica-Bold'
const MONO = 'Courier'

export interface TextStyle {
  readonly size: number
  readonly color?: string
  readonly font?: 'regular' | 'bold' | 'mono'
  /** Within `width`. */
  readonly align?: 'left' | 'right'
  /** Text that is wider ends in an ellipsis. */
  readonly width?: number
  /** Space between letters. */
  readonly tracking?: number
}

/** A sheet of A4 paper after the other, addressed in points from the upper left corner. */
export interface Canvas {
  text(text: string, x: number, y: number, style: TextStyle): void
  rect(x: number, y: number, width: number, height: number, color: string, radius?: number): void
  line(x: number, y: number, width: number, color?: string): void
  newPage(): void
  readonly pages: number
  /** Draws on a page that was begun before, from 0. */
  onPage(page: number, draw: () => void): void
  /** @returns the file */
  finish(): Promise<Uint8Array>
}

export interface CanvasOptions {
  readonly title: string
  /** Written into the file; the same input gives the same bytes. */
  readonly createdAt: Date
}

export function createCanvas({ title, createdAt }: CanvasOptions): Canvas {
  const document = new PDFDocument({
    size: 'A4',
    // A margin would make pdfkit begin pages of its own accord.
    margin: 0,
    bufferPages: true,
    autoFirstPage: false,
    lang: 'en',
    displayTitle: true,
    info: { Title: toPrintable(title), Creator: 'Gatehouse', Producer: 'Gatehouse', CreationDate: createdAt },
  })
  const chunks: Buffer[] = []
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  let pages = 0

  const setFont = ({ font = 'regular', size }: TextStyle) =>
    document.font(font === 'mono' ? MONO : font === 'bold' ? BOLD : REGULAR).fontSize(size)

  const fit = (text: string, { width, tracking = 0 }: TextStyle): string => {
    const measure = (candidate: string) => document.widthOfString(candidate, { characterSpacing: tracking })
    if (width === undefined || measure(text) <= width) return text
    let low = 0
    let high = text.length
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (measure(`${text.slice(0, middle)}…`) <= width) low = middle
      else high = middle - 1
    }
    return `${text.slice(0, low)}…`
  }

  return {
    get pages() {
      return pages
    },
    text(text, x, y, style) {
      setFont(style)
      const fitting = fit(toPrintable(text), style)
      const { align = 'left', width = 0, tracking = 0, color = INK } = style
      const left =
        align === 'left' ? x : x + width - document.widthOfString(fitting, { characterSpacing: tracking })
      document.fillColor(color).text(fitting, left, y, { lineBreak: false, characterSpacing: tracking })
    },
    rect(x, y, width, height, color, radius = 0) {
      if (width <= 0 || height <= 0) return
      if (radius === 0) document.rect(x, y, width, height).fill(color)
      else document.roundedRect(x, y, width, height, Math.min(radius, width / 2, height / 2)).fill(color)
    },
    line(x, y, width, color = RULE) {
      document
        .lineWidth(0.6)
        .moveTo(x, y)
        .lineTo(x + width, y)
        .stroke(color)
    },
    newPage() {
      document.addPage()
      pages++
    },
    onPage(page, draw) {
      document.switchToPage(page)
      draw()
    },
    finish() {
      const ended = new Promise<Uint8Array>((resolve, reject) => {
        document.on('end', () => resolve(Buffer.concat(chunks)))
        document.on('error', reject)
      })
      document.end()
      return ended
    },
  }
}
