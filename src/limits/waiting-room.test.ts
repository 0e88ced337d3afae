import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Ticket, WaitingRoom } from './waiting-room.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const NEVER = new AbortController().signal

/** Notes the turns of calls in the order in which they come. */
class Hall {
  readonly room = new WaitingRoom()
  readonly turns: string[] = []

  join(timeoutMs = 1000, signal = NEVER, organizationId = 'o'): Ticket {
    return this.room.join(organizationId, timeoutMs, signal)
  }

  wait(ticket: Ticket, name: string, meter = 'm'): Promise<void> {
    return ticket.turn(meter).then((isTurn) => {
      this.turns.push(`${name}${isTurn ? '' : ' is out'}`)
    })
  }

  async settled(): Promise<string[]> {
    await vi.advanceTimersByTimeAsync(0)
    return this.turns
  }
}

describe('WaitingRoom.look()', () => {
  it('gives the first a turn, and the next one once that has left', async () => {
    const hall = new Hall()
    const first = hall.join()
    const second = hall.join()
    void hall.wait(first, 'first')
    void hall.wait(second, 'second')
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['first'])
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['first'])
    first.leave()
    expect(await hall.settled()).toEqual(['first', 'second'])
  })

  it('lets nobody pass the first while that one looks for itself', async () => {
    const hall = new Hall()
    const first = hall.join()
    void hall.wait(first, 'first')
    const second = hall.join()
    void hall.wait(second, 'second')
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['first'])
    // It found nothing, and waits again, before the others.
    void hall.wait(first, 'first again')
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['first', 'first again'])
  })

  it('gives the first of each meter a turn: they do not wait for each other', async () => {
    const hall = new Hall()
    for (const [name, meter] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
      ['a3', 'a'],
      ['b2', 'b'],
    ] as const) {
      void hall.wait(hall.join(), name, meter)
    }
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['a1', 'b1'])
  })

  it('goes by the meter that stands in the way now', async () => {
    const hall = new Hall()
    const first = hall.join()
    void hall.wait(first, 'first', 'a')
    void hall.wait(hall.join(), 'second', 'b')
    hall.room.look('o')
    await hall.settled()
    void hall.wait(first, 'first for b', 'b')
    void hall.wait(hall.join(), 'third', 'b')
    hall.room.look('o')
    expect(await hall.settled()).toEqual(['first', 'second', 'first for b'])
  })

  it('looks in one organization alone, and in none that nobody waits in', async () => {
    const hall = new Hall()
    void hall.wait(hall.join(1000, NEVER, 'p'), 'other')
    hall.room.look('o')
    expect(await hall.settled()).toEqual([])
    hall.room.look('p')
    expect(await hall.settled()).toEqual(['other'])
  })
})

describe('WaitingRoom by itself', () => {
  it('looks everywhere every 25 milliseconds, as long as somebody waits', async () => {
    const hall = new Hall()
    const here = hall.join()
    const there = hall.join(1000, NEVER, 'p')
    void hall.wait(here, 'here')
    void hall.wait(there, 'there')
    await vi.advanceTimersByTimeAsync(24)
    expect(hall.turns).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(hall.turns).toEqual(['here', 'there'])
    here.leave()
    void hall.wait(there, 'there again')
    await vi.advanceTimersByTimeAsync(25)
    expect(hall.turns).toHaveLength(3)
    there.leave()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('has one timer for all, and begins again after it was empty', async () => {
    const hall = new Hall()
    const tickets = [hall.join(), hall.join(), hall.join(1000, NEVER, 'p')]
    // One look, and a deadline each.
    expect(vi.getTimerCount()).toBe(4)
    for (const ticket of tickets) ticket.leave()
    expect(vi.getTimerCount()).toBe(0)
    void hall.wait(hall.join(), 'later')
    await vi.advanceTimersByTimeAsync(25)
    expect(hall.turns).toEqual(['later'])
  })
})

describe('WaitingRoom.waiting()', () => {
  it('counts who waits in an organization until they leave, each once', () => {
    const { room } = new Hall()
    const first = room.join('o', 1000, NEVER)
    const second = room.join('o', 1000, NEVER)
    room.join('p', 1000, NEVER)
    expect([room.waiting('o'), room.waiting('p'), room.waiting('q')]).toEqual([2, 1, 0])
    first.leave()
    first.leave()
    expect(room.waiting('o')).toBe(1)
    second.leave()
    expect([room.waiting('o'), room.waiting('p')]).toEqual([0, 1])
  })
})

describe('WaitingRoom.blockedBy()', () => {
  it('is the first meter that somebody waits for, of those that cover a call', () => {
    const hall = new Hall()
    void hall.wait(hall.join(), 'a', 'a')
    void hall.wait(hall.join(), 'b', 'b')
    expect(hall.room.blockedBy('o', () => true)).toBe('a')
    expect(hall.room.blockedBy('o', (id) => id === 'b')).toBe('b')
    expect(hall.room.blockedBy('o', (id) => id === 'c')).toBeUndefined()
    expect(hall.room.blockedBy('p', () => true)).toBeUndefined()
  })

  it('covers nothing of one who does not wait yet', () => {
    const hall = new Hall()
    hall.join()
    expect(hall.room.blockedBy('o', (id) => id !== '')).toBeUndefined()
  })
})

describe('Ticket.turn()', () => {
  it('is over when its time is up, also what is waited for later', async () => {
    const hall = new Hall()
    const ticket = hall.join(10)
    void hall.wait(ticket, 'first')
    await vi.advanceTimersByTimeAsync(9)
    expect(hall.turns).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(hall.turns).toEqual(['first is out'])
    void hall.wait(ticket, 'again')
    expect(await hall.settled()).toEqual(['first is out', 'again is out'])
  })

  it('is over when its caller leaves', async () => {
    const hall = new Hall()
    const controller = new AbortController()
    const ticket = hall.join(1000, controller.signal)
    void hall.wait(ticket, 'first')
    controller.abort()
    expect(await hall.settled()).toEqual(['first is out'])
    void hall.wait(ticket, 'again')
    expect(await hall.settled()).toEqual(['first is out', 'again is out'])
    const late = hall.join(1000, controller.signal)
    void hall.wait(late, 'late')
    expect(await hall.settled()).toEqual(['first is out', 'again is out', 'late is out'])
  })

  it('is over when it is left', async () => {
    const hall = new Hall()
    const ticket = hall.join()
    void hall.wait(ticket, 'first')
    ticket.leave()
    expect(await hall.settled()).toEqual(['first is out'])
  })

  it('counts its time from when it joined, over all its turns', async () => {
    const hall = new Hall()
    const ticket = hall.join(40)
    void hall.wait(ticket, 'first')
    await vi.advanceTimersByTimeAsync(25)
    void hall.wait(ticket, 'second')
    await vi.advanceTimersByTimeAsync(15)
    expect(hall.turns).toEqual(['first', 'second is out'])
  })
})

describe('Ticket.leave()', () => {
  it('listens to the caller no longer', () => {
    const controller = new AbortController()
    const added = vi.spyOn(controller.signal, 'addEventListener')
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    new Hall().join(1000, controller.signal).leave()
    expect(added).toHaveBeenCalledWith('abort', expect.any(Function), { once: true })
    expect(removed.mock.calls).toEqual([['abort', added.mock.calls[0]?.[1]]])
  })

  it('gives a turn to those behind it, in the middle of the queue', async () => {
    const hall = new Hall()
    const first = hall.join()
    void hall.wait(first, 'first')
    const second = hall.join()
    void hall.wait(second, 'second')
    void hall.wait(hall.join(), 'third')
    second.leave()
    expect(await hall.settled()).toEqual(['second is out', 'first'])
    first.leave()
    expect(await hall.settled()).toEqual(['second is out', 'first', 'third'])
  })
})

describe('WaitingRoom.close()', () => {
  it('lets nobody wait any longer, or again', async () => {
    const hall = new Hall()
    const here = hall.join()
    const between = hall.join()
    void hall.wait(here, 'here')
    void hall.wait(hall.join(1000, NEVER, 'p'), 'there')
    hall.room.close()
    expect(await hall.settled()).toEqual(['here is out', 'there is out'])
    void hall.wait(between, 'between')
    expect(await hall.settled()).toEqual(['here is out', 'there is out', 'between is out'])
  })

  it('leaves no timer behind once all have left', () => {
    const hall = new Hall()
    const ticket = hall.join()
    hall.room.close()
    // Its deadline, and no look any more.
    expect(vi.getTimerCount()).toBe(1)
    ticket.leave()
    expect(vi.getTimerCount()).toBe(0)
  })
})
