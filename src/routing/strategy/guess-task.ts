import type { Task } from '../../contract/task.ts'
import { TASK_OF_WORD, type ToldTask, WEAK_WORDS } from './task-words.ts'

export interface TaskGuess {
  readonly task: Task
  /** What told it, for people: `the word "translate"`. */
  readonly because: string
}

const UNKNOWN: TaskGuess = { task: 'chat', because: 'nothing in the text tells another' }

/** An order stands at the beginning; later words are as often what the text is about. */
const ORDER_WORDS = 12
/** More than everything else about a task can have together. */
const ORDER_VOTES = 5
const OTHER_VOTES_MAX = 4
/** Code in a fence is code, unless an order says what to do with it. */
const FENCE_VOTES = 4
const WEAK_VOTES = 2
/** An order tells a task, or three words of it; fewer are chance. */
const VOTES_MIN = 3
const WORD_LENGTH_MAX = 16
const WORDS_MAX = 512

/**
 * @param text the last turn of a user, shortened
 * @returns which task it asks for, by its words; `chat` where they do not tell. Reads the text once
 */
export function guessTask(text: string): TaskGuess {
  if (text === '') return UNKNOWN
  const votes = new Votes()
  countWords(text.toLowerCase(), votes)
  if (text.includes('```')) votes.add('code', FENCE_VOTES, 'a fenced block of code')
  return votes.winner() ?? UNKNOWN
}

/** Most words tell nothing: their length and two letters show it, without making a text of each. */
const SLOTS = 2048
const MAY_TELL = new Uint8Array(SLOTS)
for (const word of TASK_OF_WORD.keys()) MAY_TELL[slotOf(word, 0, word.length)] = 1

function slotOf(text: string, start: number, length: number): number {
  return (text.charCodeAt(start) * 131 + text.charCodeAt(start + length - 1) * 31 + length) % SLOTS
}

/** Words are runs of letters. */
function countWords(text: string, votes: Votes): void {
  let start = -1
  let words = 0
  for (let index = 0; index <= text.length; index++) {
    if (isLetter(index < text.length ? text.charCodeAt(index) : 0)) {
      if (start < 0) start = index
      continue
    }
    if (start < 0) continue
    words++
    if (words > WORDS_MAX) return
    const length = index - start
    if (length <= WORD_LENGTH_MAX && MAY_TELL[slotOf(text, start, length)] === 1) {
      const word = text.slice(start, index)
      const task = TASK_OF_WORD.get(word)
      if (task !== undefined) votes.addWord(task, word, words <= ORDER_WORDS)
    }
    start = -1
  }
}

/** Of Latin letters, accents included; other scripts have no words here. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 0xdf && code <= 0x24f && code !== 0xf7)
}

interface Vote {
  /** Besides that of the order. */
  others: number
  because: string
}

class Votes {
  private readonly byTask = new Map<ToldTask, Vote>()
  /** The task of the first word that can be an order. */
  private ordered: ToldTask | undefined

  addWord(task: ToldTask, word: string, isEarly: boolean): void {
    const told = `the word "${word}"`
    if (!isEarly) this.add(task, 1, told)
    else if (WEAK_WORDS.has(word)) this.add(task, WEAK_VOTES, told)
    else if (this.ordered === undefined) {
      this.ordered = task
      this.add(task, 0, told)
      const vote = this.byTask.get(task)
      if (vote !== undefined) vote.because = told
    } else this.add(task, 1, told)
  }

  /** @param told what it was; the first is remembered */
  add(task: ToldTask, count: number, told: string): void {
    const vote = this.byTask.get(task)
    if (vote === undefined) this.byTask.set(task, { others: count, because: told })
    else vote.others += count
  }

  /** The most votes; of two with as many, the one that was told first. */
  winner(): TaskGuess | undefined {
    let best: TaskGuess | undefined
    let most = VOTES_MIN - 1
    for (const [task, { others, because }] of this.byTask) {
      const count = Math.min(OTHER_VOTES_MAX, others) + (task === this.ordered ? ORDER_VOTES : 0)
      if (count <= most) continue
      most = count
      best = { task, because }
    }
    return best
  }
}
