// What a person changed, until the page says that it arrived. Streamlit gives a run of the page only the newest word of
// a component: so everything that was not heeded yet goes together, and as what is wanted, never as "the other way".

class Outbox {
  constructor() {
    Object.assign(this, { of: null, last: 0, pending: [] })
  }

  // `of`: whose changes the page counts, another one for each of its sessions; `seen`: the last of them that arrived.
  heard({ of, seen }) {
    if (of !== this.of) Object.assign(this, { of, last: seen, pending: [] })
    this.pending = this.pending.filter((each) => each.n > seen)
  }

  // What is to be sent, with this change at its end.
  put(change) {
    this.last += 1
    this.pending = [...this.pending, { of: this.of, n: this.last, ...change }]
    return this.pending
  }
}

// One for all that a component ever draws: Streamlit takes it away and makes it again where the page around it changes.
const outbox = new Outbox()
