// The grid of a result in order of time: months under headings, and a rail that leads to any of them. What is laid out, ids
// and shapes, is fetched once as numbers, see runtime/timelines.py; names and colours in blocks, where they come near the
// window.

const BLOCK = 120 // as in timelines.py
const FLYING = 3 // blocks that are fetched at a time
const ASK_AFTER = 60 // ms
const AGAIN_AFTER = 3000
const KEPT_LISTS = 4
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]

// By token: Streamlit removes a component and makes it again where the page around it changes.
const lists = new Map()

async function fetchList(token) {
  const answer = await fetch(`/timeline/${token}.bin`)
  if (!answer.ok) throw new Error(answer.status)
  const data = await answer.arrayBuffer()
  const head = new Uint32Array(data, 4, 3)
  const [format, count, days] = head
  if (format !== 1) throw new Error("another version's list")
  const numbers = new Uint32Array(data, 16, count + 2 * days)
  const ids = numbers.subarray(0, count)
  const ratios = new Uint16Array(data, 16 + 4 * numbers.length, count)
  const months = []
  for (let at = 0; at < days; at++) {
    const month = Math.floor(numbers[count + at] / 100)
    if (months.at(-1)?.month !== month) months.push({ month, count: 0 })
    months.at(-1).count += numbers[count + days + at]
  }
  const list = { ids, ratios, months, starred: new Set() }
  lists.set(token, list)
  for (const old of [...lists.keys()].slice(0, -KEPT_LISTS)) lists.delete(old)
  return list
}

const yearOf = (month) => Math.floor(month / 100)
const monthName = (month) => MONTHS[(month % 100) - 1]
const titleOf = (month, by) => {
  if (!month) return by === "added" ? "Earlier" : "No date"
  return monthName(month) ? `${monthName(month)} ${yearOf(month)}` : `${yearOf(month)}`
}

class Timeline extends Gallery {
  constructor(parent, data) {
    super(parent, data)
    this.blocks = new Set()
    this.flying = 0
    this.asked = 0
    this.makeRail(parent)
  }

  close() {
    super.close()
    clearTimeout(this.asking)
    this.rail.remove()
  }

  take(data) {
    if (this.given === data) return
    this.given = data
    const { token } = data.timeline
    const show = () => {
      if (this.given !== data || this.stopping.signal.aborted) return
      this.root.removeAttribute("aria-busy")
      super.take(data)
    }
    if (lists.has(token)) return show()
    this.root.setAttribute("aria-busy", "true")
    // The page may answer with the same data, of which this is not told: the list is there then all the same.
    const isAsked = () => this.given === data && !this.stopping.signal.aborted
    const ask = () =>
      fetchList(token).then(show, () => {
        if (!isAsked()) return
        this.stale()
        setTimeout(() => isAsked() && ask(), AGAIN_AFTER)
      })
    ask()
  }

  // The server does not know the list any more: it was started again, or the library has changed.
  stale() {
    const now = Date.now()
    if (now - (this.told ?? 0) < AGAIN_AFTER) return
    this.told = now
    this.trigger("stale", now)
  }

  read({ timeline: { token } }) {
    const list = (this.list = lists.get(token))
    this.blocks = new Set()
    const known = new Map(this.pictures.map((picture) => [picture.id, picture]))
    return Array.from(list.ids, (id, at) => {
      const ratio = list.ratios[at] / 1000
      const old = known.get(id)
      return old?.ratio === ratio ? old : { id, src: "", name: "", title: "", colour: "", folded: 0, ratio }
    })
  }

  parts() {
    const { by } = this.data.timeline
    return this.list.months.map(({ month, count }) => ({ title: titleOf(month, by), fold: "", count }))
  }

  light(marks) {
    // Stars come with the blocks: of a hundred thousand pictures they are too many to come with each click.
    if (marks.state !== this.starsOf) this.blocks.clear()
    this.starsOf = marks.state
    return { ...super.light(marks), favourites: this.list?.starred ?? new Set() }
  }

  takeMarks(key, change = () => {}) {
    super.takeMarks(key, () => {
      if (this.list) this.lit.favourites = this.list.starred
      change()
    })
  }

  layout() {
    if (!this.list) return
    super.layout()
    this.drawRail()
  }

  draw() {
    super.draw()
    if (!this.list || !this.width) return
    this.moveRail()
    clearTimeout(this.asking)
    this.asking = setTimeout(() => this.ask(), Math.max(0, this.asked + ASK_AFTER - performance.now()))
  }

  // -- what is known of pictures --------------------------------------------------------------------------------------

  ask() {
    this.asked = performance.now()
    const { top, bottom } = this.window()
    const margin = bottom - top
    const blockAt = (line) => Math.floor(Math.min(this.firstBelow(line), this.boxes.length - 1) / BLOCK)
    const [seen, last] = [blockAt(top), blockAt(bottom)]
    const isAll = this.boxes.length <= ALL_DRAWN
    const wanted = []
    for (let block = seen; block <= last; block++) wanted.push(block)
    wanted.push(blockAt(isAll ? Infinity : bottom + margin), blockAt(isAll ? 0 : top - margin))
    for (const block of wanted) if (block >= 0 && this.flying < FLYING && !this.blocks.has(block)) this.load(block)
  }

  async load(block) {
    const { data, blocks, list } = this
    blocks.add(block)
    this.flying += 1
    try {
      const answer = await fetch(`/timeline/${data.timeline.token}/${block}.json`)
      if (answer.status === 404) this.stale()
      if (!answer.ok) throw new Error(answer.status)
      this.learn(await answer.json(), list)
    } catch {
      setTimeout(() => {
        blocks.delete(block)
        if (!this.stopping.signal.aborted) this.soon()
      }, AGAIN_AFTER)
    }
    this.flying -= 1
    if (!this.stopping.signal.aborted) this.soon()
  }

  learn(packed, list) {
    if (list !== this.list) return
    for (const made of unpacked(packed)) {
      const place = this.places.get(made.id)
      if (place === undefined) continue
      const ratio = this.order[place].ratio
      const picture = { ...made, ratio }
      list.starred.delete(made.id)
      if (isSame(this.order[place], picture)) continue
      this.order[place] = picture
      this.pictures[place] = picture
      this.byId.set(picture.id, picture)
    }
    for (const id of packed.starred) list.starred.add(id)
    this.expect()
  }

  // -- the rail -------------------------------------------------------------------------------------------------------

  makeRail(parent) {
    const rail = element("div", "rail", { role: "slider", tabindex: "0", "aria-label": "Date", "aria-orientation": "vertical", "aria-valuemin": "0" })
    this.years = element("div", "years", { "aria-hidden": "true" })
    this.knob = element("div", "knob", { "aria-hidden": "true" })
    this.bubble = element("span", "bubble")
    this.knob.append(this.bubble)
    rail.append(this.years, this.knob)
    rail.hidden = true
    const { signal } = this.stopping
    const on = (name, listener) => rail.addEventListener(name, listener, { signal })
    const jump = (event) => {
      const { top, height } = rail.getBoundingClientRect()
      this.scrollTo(Math.min(Math.max((event.clientY - top) / height, 0), 1) * this.span())
    }
    on("pointerdown", (event) => {
      if (event.button !== 0) return
      event.preventDefault()
      rail.focus({ preventScroll: true })
      rail.setPointerCapture(event.pointerId)
      rail.classList.add("held")
      jump(event)
    })
    on("pointermove", (event) => rail.hasPointerCapture(event.pointerId) && jump(event))
    for (const name of ["pointerup", "pointercancel"]) on(name, () => rail.classList.remove("held"))
    on("keydown", (event) => this.pressRail(event))
    this.rail = rail
    parent.append(rail)
  }

  // How far the page scrolls from the first row to the last.
  span() {
    const { top, bottom, covered } = this.window()
    return Math.max(1, this.root.clientHeight - (bottom - top - covered))
  }

  // Until a line, in pixels from the top of the grid, is the first that can be seen.
  scrollTo(line) {
    const { top, covered } = this.window()
    this.isHeld = false
    this.scroller.scrollTop += Math.round(line - top - covered)
    this.draw()
  }

  // The month of the first row that can be seen.
  here() {
    const { top, covered } = this.window()
    const place = Math.min(this.firstBelow(top + covered + 1), this.boxes.length - 1)
    return Math.max(0, firstPlace(0, this.sections.length, (at) => this.sections[at].first > place) - 1)
  }

  pressRail(event) {
    const { months } = this.list
    const at = this.here()
    const last = months.length - 1
    const isOtherYear = (other) => yearOf(months[other].month) !== yearOf(months[at].month)
    let to = { ArrowUp: at - 1, ArrowLeft: at - 1, ArrowDown: at + 1, ArrowRight: at + 1, Home: 0, End: last }[event.key]
    const step = { PageUp: -1, PageDown: 1 }[event.key]
    if (step) {
      to = at
      while (months[to + step] && !isOtherYear(to)) to += step
    }
    if (to === undefined) return
    event.preventDefault()
    event.stopPropagation()
    this.scrollTo(this.sections[Math.min(Math.max(to, 0), last)].made.offsetTop - 8)
  }

  drawRail() {
    const { months } = this.list
    const isLong = months.length > 1 && this.root.clientHeight > 2 * this.scroller.clientHeight
    this.rail.hidden = !isLong
    if (!isLong) return
    set(this.rail, "aria-valuemax", String(months.length - 1))
    const height = this.rail.clientHeight
    const isOneYear = yearOf(months[0].month) === yearOf(months.at(-1).month)
    let free = 0
    const labels = months.flatMap(({ month }, at) => {
      const isFirst = isOneYear || !at || yearOf(month) !== yearOf(months[at - 1].month)
      const y = Math.min((this.sections[at].top / this.root.clientHeight) * height, height - 16)
      if (!month || !isFirst || y < free) return []
      free = y + 20
      return [element("span", "", { style: `top:${Math.round(y)}px` }, isOneYear ? (monthName(month) ?? "").slice(0, 3) : `${yearOf(month)}`)]
    })
    this.years.replaceChildren(...labels)
  }

  moveRail() {
    if (this.rail.hidden) return
    const { top, covered } = this.window()
    const share = Math.min(Math.max((top + covered) / this.span(), 0), 1)
    this.knob.style.transform = `translateY(${Math.round(share * this.rail.clientHeight)}px)`
    const at = this.here()
    const title = titleOf(this.list.months[at].month, this.data.timeline.by)
    write(this.bubble, title)
    set(this.rail, "aria-valuenow", String(at))
    set(this.rail, "aria-valuetext", title)
    // While the page scrolls it says where, as while the rail is held. What is drawn above the grid moves it too.
    const { scrollTop } = this.scroller
    if ((this.scrolled ?? scrollTop) !== scrollTop) this.rail.classList.add("moving")
    this.scrolled = scrollTop
    clearTimeout(this.resting)
    this.resting = setTimeout(() => this.rail.classList.remove("moving"), 900)
  }
}
