// Events that the page has not acknowledged yet. Streamlit gives a run only a component's newest value, and a value can
// be lost with a run that another one ends: so all pending events are sent together, and again until they are
// acknowledged. An event says what is wanted ("on"), never "toggle". See docs/internals/streamlit.md.

const RETRY_AFTER = 3000 // ms without an answer, doubled each time: a run that is only slow must not be ended too often
const GIVE_UP_AFTER = 60_000

class EventQueue {
  constructor() {
    Object.assign(this, { of: null, last: 0, pending: [] })
  }

  // `of`: the session that the events belong to; `seen`: the number of the last one that was applied.
  acknowledge({ of, seen }) {
    if (of !== this.of) Object.assign(this, { of, last: seen, pending: [] })
    this.pending = this.pending.filter((event) => event.n > seen)
  }

  // Sends an event, and all that are pending, by `deliver(events)`.
  send(event, deliver) {
    this.last += 1
    this.pending = [...this.pending, { of: this.of, n: this.last, ...event }]
    this.flush(deliver, RETRY_AFTER)
  }

  flush(deliver, wait) {
    clearTimeout(this.timer)
    if (!this.pending.length || wait > GIVE_UP_AFTER) return
    deliver([...this.pending])
    this.timer = setTimeout(() => this.flush(deliver, 2 * wait), wait)
  }
}

// One for all that a component ever draws: Streamlit removes it and makes it again where the page around it changes.
const eventQueue = new EventQueue()
