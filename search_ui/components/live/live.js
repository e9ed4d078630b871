// What the server pushes to open pages: a run as a line and a bar, and a button that shows what came since the page was
// drawn. One stream for all visible tabs of a browser, which has six connections to a server in all: the tab that holds a
// lock listens, and tells the others. Hidden tabs listen to nothing.

const NAME = "sightline-live"
const RETRY = 5_000 // ms after a refusal, doubled each time up to a minute; lost connections are the browser's to renew
const RETRY_MOST = 60_000
const RELOAD_AGAIN = 3_000 // ms until a page that was not drawn again is asked for once more

class Feed {
  constructor() {
    Object.assign(this, { last: null, listeners: new Set(), retry: RETRY, abort: null, source: null })
    this.channel = new BroadcastChannel(NAME)
    this.channel.onmessage = ({ data }) => {
      if (data.asks) {
        if (this.source && this.last) this.channel.postMessage(this.last)
      } else this.take(data)
    }
    for (const type of ["visibilitychange", "freeze", "resume"]) document.addEventListener(type, () => this.turn())
    for (const type of ["pagehide", "pageshow"]) addEventListener(type, ({ type }) => this.turn(type === "pagehide"))
  }

  add(listener) {
    this.listeners.add(listener)
    this.turn()
  }

  remove(listener) {
    this.listeners.delete(listener)
    this.turn()
  }

  turn(leaves = false) {
    const wanted = !leaves && document.visibilityState === "visible" && this.listeners.size > 0
    if (wanted && !this.abort) this.begin()
    else if (!wanted && this.abort) this.end()
  }

  begin() {
    const abort = (this.abort = new AbortController())
    this.channel.postMessage({ asks: true })
    const listen = () =>
      new Promise((done) => {
        if (abort.signal.aborted) return done()
        abort.signal.addEventListener("abort", done)
        this.open(abort.signal)
      })
    // Locks are there in secure contexts only, such as localhost. Elsewhere each tab has a stream of its own.
    if (navigator.locks) navigator.locks.request(NAME, { signal: abort.signal }, listen).catch(() => {})
    else listen()
  }

  end() {
    this.abort.abort()
    this.abort = null
    this.source?.close()
    this.source = null
    clearTimeout(this.timer)
  }

  open(signal) {
    if (signal.aborted) return
    const source = (this.source = new EventSource("/events"))
    source.onmessage = ({ data }) => {
      this.retry = RETRY
      const message = JSON.parse(data)
      this.take(message)
      this.channel.postMessage(message)
    }
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED || signal.aborted) return
      this.timer = setTimeout(() => this.open(signal), this.retry)
      this.retry = Math.min(2 * this.retry, RETRY_MOST)
    }
  }

  take(message) {
    this.last = message
    for (const listener of this.listeners) listener(message)
  }
}

const feed = (window.sightlineFeed ??= new Feed())

function element(name, className, text = "") {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
}

function build(parentElement) {
  const root = element("div", "live")
  const line = element("div", "run-line")
  root.head = element("span", "run-head")
  root.said = element("span", "run-said")
  root.bar = document.createElement("progress")
  root.bar.max = 1
  line.append(root.head, root.said)
  root.run = element("div", "run")
  root.run.append(line, root.bar)
  root.show = element("button", "live-show")
  root.show.type = "button"
  root.show.onclick = () => root.reload(true)
  parentElement.append(root)
  return root
}

function place(root, child, yes) {
  if (yes === (child.parentElement === root)) return
  if (yes) root.append(child)
  else child.remove()
}

function draw(root, run) {
  place(root, root.run, Boolean(run))
  if (!run) return
  if (root.head.textContent !== run.head) root.head.textContent = run.head
  root.said.textContent = run.said
  root.bar.setAttribute("aria-label", run.head)
  if (run.share === null) root.bar.removeAttribute("value")
  else root.bar.value = run.share
}

function news(added) {
  if (added === 1) return "1 new picture: show it"
  if (added > 1) return `${added.toLocaleString("en")} new pictures: show them`
  return "The library has changed: show it as it is now"
}

// Compares what the page was drawn with to what the library is now.
function look(root) {
  const drawn = root.drawn
  const now = feed.last && feed.last.at > drawn.at ? feed.last : drawn
  draw(root, now.run)
  const changed = now.library !== drawn.library || now.generation !== drawn.generation
  const came = now.library !== drawn.library || now.newest > drawn.newest
  const ran = now.runs !== drawn.runs
  const follows = drawn.follows
  const due = (follows !== "asked" && came) || (follows === "runs" && (ran || (changed && !now.run)))
  place(root, root.show, changed && follows !== "runs" && !due)
  if (changed) root.show.textContent = news(now.library === drawn.library ? now.newest - drawn.newest : 0)
  if (due) root.reload(false)
}

export default function ({ data: [data], parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".live")
  if (!root) {
    root = build(parentElement)
    root.listener = () => look(root)
  }
  root.reload = (pressed) => {
    const since = Date.now() - (root.asked ?? 0)
    clearTimeout(root.timer)
    if (pressed || since > RELOAD_AGAIN) {
      root.asked = Date.now()
      setTriggerValue("reload", root.drawn.at)
    }
    root.timer = setTimeout(root.listener, RELOAD_AGAIN)
  }
  clearTimeout(root.timer)
  root.drawn = data
  root.asked = 0
  feed.add(root.listener)
  look(root)
  return () => {
    // Also called for a drawing that a newer one replaced.
    setTimeout(() => {
      if (root.isConnected) return
      clearTimeout(root.timer)
      feed.remove(root.listener)
    }, 1000)
  }
}
