// What a person changed, until the page says that it arrived. Streamlit gives a run of the page only the newest word of
// a component: so everything that was not heeded yet goes together, and as what is wanted, never as "the other way". And
// a word can be lost, in a run that another one ends or while a component is made again: so it is said again.

const AGAIN = 3000 // ms without an answer, twice as many each time: a run that is only slow is not to be ended too often
const PATIENCE = 60_000

class Outbox {
  constructor() {
    Object.assign(this, { of: null, last: 0, pending: [] })
  }

  // `of`: whose changes the page counts, another one for each of its sessions; `seen`: the last of them that arrived.
  heard({ of, seen }) {
    if (of !== this.of) Object.assign(this, { of, last: seen, pending: [] })
    this.pending = this.pending.filter((each) => each.n > seen)
  }

  // Says a change, and all that are pending, by `tell(changes)`.
  send(change, tell) {
    this.last += 1
    this.pending = [...this.pending, { of: this.of, n: this.last, ...change }]
    this.deliver(tell, AGAIN)
  }

  deliver(tell, wait) {
    clearTimeout(this.timer)
    if (!this.pending.length || wait > PATIENCE) return
    tell([...this.pending])
    this.timer = setTimeout(() => this.deliver(tell, 2 * wait), wait)
  }
}

// One for all that a component ever draws: Streamlit takes it away and makes it again where the page around it changes.
const outbox = new Outbox()
