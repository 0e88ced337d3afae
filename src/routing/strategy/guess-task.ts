import type { Task } from '../../contract/task.ts'
import { TASK_OF_WORD, type ToldTask } from './task-words.ts'

export interface TaskGuess {
  readonly task: Task
  /** What told it, for people: `the word "translate"`. */
  readonly because: string
}

const UNKNOWN: TaskGuess = { task: 'chat', because: 'nothing in the text tells another' }

/** A word among the first of a text is an order; later ones are as often what the text is about. */
const ORDER_WORDS = 12
const ORDER_VOTES = 3
/** One word of an order tells a task, or three in the text; fewer are chance. */
const VOTES_MIN = 3
/** A fenced block is code whatever stands around it, but the order before it says what to do with it. */
const FENCE_VOTES = 3
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

/** Runs of letters, and the digits within them. */
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
    if (index - start <= WORD_LENGTH_MAX) {
      const word = text.slice(start, index)
      const task = TASK_OF_WORD.get(word)
      if (task !== undefined) votes.add(task, words <= ORDER_WORDS ? ORDER_VOTES : 1, word)
    }
    start = -1
  }
}

/** Of Latin letters, accents included; other scripts have no words here. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 0xdf && code <= 0x24f && code !== 0xf7)
}

interface Vote {
  count: number
  readonly because: string
}

class Votes {
  private readonly byTask = new Map<ToldTask, Vote>()

  /** @param told the word, or what else it was; the first one is remembered */
  add(task: ToldTask, count: number, told: string): void {
    const vote = this.byTask.get(task)
    if (vote === undefined) this.byTask.set(task, { count, because: told })
    else vote.count += count
  }

  /** The most votes; of two with as many, the one that was told first. */
  winner(): TaskGuess | undefined {
    let best: TaskGuess | undefined
    let most = VOTES_MIN - 1
    for (const [task, { count, because }] of this.byTask) {
      if (count <= most) continue
      most = count
      best = { task, because: because.includes(' ') ? because : `the word "${because}"` }
    }
    return best
  }
}
