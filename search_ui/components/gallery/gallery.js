// The grid: sections of rows of even height. Only tiles near the window are in the DOM; the rest is empty space of the
// right height. Hits come as `data`, packed (see `pack` in __init__.py). What changes often, such as favourites, comes by
// marks.js, so that a star does not send two thousand pictures again.

const ALL_DRAWN = 150 // up to so many tiles are all drawn: the browser's own search then finds all their names
const SIZES = { min: 90, max: 360, step: 30, usual: 210 }
const SMALL = 84
const NARROW = 640
const KEPT_SIZE = "sightline-size"
const SEND_AFTER = 150
const DIALOG = '[role="dialog"]'
const NO_MARKS = { query: null, unfolded: false, favourites: [], liked: [], disliked: [], selected: null, stamp: 0, known: [0, 0], focus: null, acknowledged: null }

// By key: Streamlit removes a component and makes it again where the page around it changes.
const memories = new Map()
const remembered = ({ key, at }) => {
  const blank = { query: null, selected: new Set(), stamp: 0, anchor: null, current: null, from: null, base: new Set() }
  const fresh = { ...blank, at, opened: null, focus: null, focused: null, said: "" }
  // The old data may be drawn once more before the component is removed, see marks.js: it must not change the memory.
  if (memories.get(key)?.at > at) return fresh
  if (!memories.has(key)) memories.set(key, fresh)
  return memories.get(key)
}

function unpacked(data) {
  const split = (text, by = " ") => (text ? text.split(by) : [])
  const names = split(data.names, "/")
  const bytes = atob(data.hashes)
  const [folders, ratios] = ["folder", "ratios"].map((name) => split(data[name]))
  const hex = (byte) => byte.toString(16).padStart(2, "0")
  return split(data.ids).map((id, at) => {
    const hash = Array.from(bytes.slice(at * 32, at * 32 + 32), (char) => hex(char.charCodeAt(0))).join("")
    const colour = data.colours.slice(at * 6, at * 6 + 6)
    return {
      id: Number(id),
      src: `/thumb/${hash}.jpg${isLong(Number(ratios[at])) ? "?2" : ""}`, // see picture_addresses.py
      name: names[at],
      title: data.folders[folders[at]] + names[at],
      ratio: Number(ratios[at]),
      colour: colour.trim() ? `#${colour}` : "",
      folded: data.folded[at] ?? 0,
      box: data.boxes[at],
    }
  })
}

// The first place from `from` to before `to` at which `is` holds, `to` where at none; once it holds, it holds at all after.
function firstPlace(from, to, is) {
  while (from < to) {
    const between = (from + to) >> 1
    if (is(between)) to = between
    else from = between + 1
  }
  return from
}

const sumOf = (ids) => [...ids].reduce((sum, id) => sum + id, 0)

const isSame = (one, other) => Object.keys(other).every((name) => one?.[name] === other[name])

function scrollerOf(node) {
  for (let at = node; at; at = at.parentNode ?? at.host) {
    if (at instanceof Element && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at
  }
  return document.scrollingElement
}

class Gallery {
  constructor(parent, data) {
    this.small = data.small
    this.actions = data.small ? [] : data.favourites ? ["tick", "star", "like", "dislike"] : ["tick", "like", "dislike"]
    this.memory = remembered(data)
    this.pictures = []
    this.sections = []
    this.order = []
    this.boxes = []
    this.places = new Map()
    this.tiles = new Map()
    this.marks = NO_MARKS
    this.size = SIZES.usual
    this.root = element("div", data.small ? "sections small" : "sections")
    this.said = element("div", "said", { role: "status" }, this.memory.said)
    this.root.append(this.said)
    parent.append(this.root)
    if (!data.small) this.root.append(this.tools())
    this.scroller = scrollerOf(parent)
    this.stopping = new AbortController()
    const signal = this.stopping.signal
    const scrolled = () => this.soon()
    const target = this.scroller === document.scrollingElement ? window : this.scroller
    target.addEventListener("scroll", scrolled, { passive: true, signal })
    window.addEventListener("sightline-marks", (event) => event.detail === data.key && this.takeMarks(data.key), { signal })
    this.resized = new ResizeObserver(() => this.resize())
    this.resized.observe(this.root)
    this.resized.observe(this.scroller)
    listen(this, signal)
  }

  close() {
    this.stopping.abort()
    this.resized.disconnect()
    this.dialogs?.disconnect()
    clearTimeout(this.sending)
    clearTimeout(this.sendingAgain)
    cancelAnimationFrame(this.drawing)
  }

  // -- data from the page ---------------------------------------------------------------------------------------------

  take(data) {
    if (this.data === data) return
    const isFirst = !this.data
    this.data = data
    const { memory } = this
    memory.at = data.at
    const isOther = memory.query !== data.query
    const focused = this.focusedTile()
    const place = focused ? this.places.get(focused.picture.id) : null
    this.pictures = this.read(data)
    this.chooseSort()
    this.byId = new Map(this.pictures.map((picture) => [picture.id, picture]))
    const kept = isOther && memory.query !== null ? [] : [...memory.selected].filter((id) => this.byId.has(id))
    const isChanged = kept.length !== memory.selected.size
    memory.selected = new Set(kept)
    if (isOther) Object.assign(memory, { anchor: null, from: null, base: new Set(), current: null })
    this.takeMarks(data.key, () => {
      this.shells()
      this.keepPlace(() => this.layout(), isFirst ? memory.anchor : this.anchor())
      if (isOther && memory.query !== null && !isFirst) this.scroller.scrollTop = 0
      memory.query = data.query
    })
    if (isChanged) this.send()
    // The keyboard's focus stays at its picture; where that is gone, at the one in its place.
    if (isFirst && memory.focused !== null) this.back(memory.focused)
    if (place === null || place === undefined || !this.order.length) return
    const id = focused.picture.id
    this.go(this.places.get(id) ?? Math.min(place, this.order.length - 1))
  }

  // The pictures of the data; the same objects as before where nothing of them changed.
  read(data) {
    const known = new Map(this.pictures.map((picture) => [picture.id, picture]))
    return unpacked(data).map((made) => (isSame(known.get(made.id), made) ? known.get(made.id) : made))
  }

  takeMarks(key, change = () => {}) {
    const marks = window.sightlineMarks?.get(key) ?? NO_MARKS
    const isNew = marks !== this.marks
    if (isNew) {
      this.marks = marks
      this.lit = this.light(marks)
      this.unfolded = marks.unfolded
      if (marks.acknowledged && !this.small) eventQueue.acknowledge(marks.acknowledged)
      this.expect()
    }
    this.lit ??= { favourites: new Set(), liked: new Set(), disliked: new Set() }
    change()
    if (!this.data) return
    if (this.sections.some((section) => section.fold && section.made.open !== this.unfolded)) {
      for (const section of this.sections) if (section.fold) section.made.open = this.unfolded
      this.keepPlace(() => this.layout(), this.anchor())
    }
    const { memory } = this
    if (marks.query === this.data.query && marks.stamp > memory.stamp) {
      memory.stamp = marks.stamp
      this.select((marks.selected ?? []).filter((id) => this.byId.has(id)))
    }
    this.draw()
    if (isNew && !this.isKnown()) this.sendAgain()
    if (!isNew || marks.focus === memory.focus) return
    memory.focus = marks.focus
    if (marks.focus !== null && !document.querySelector(DIALOG)) this.back(marks.focus)
  }

  light(marks) {
    return Object.fromEntries(["favourites", "liked", "disliked"].map((name) => [name, new Set(marks[name])]))
  }

  // Pending changes of favourites are shown as if they were applied.
  expect() {
    for (const { id, yes } of this.small ? [] : eventQueue.pending) this.lit.favourites[yes ? "add" : "delete"](id)
  }

  star(id) {
    eventQueue.send({ id, yes: !this.lit.favourites.has(id) }, (changes) => this.state("favourites", changes))
    this.expect()
    this.draw()
  }

  parts() {
    return this.data.sections
  }

  shells() {
    const parts = this.parts()
    let from = 0
    const old = this.sections
    this.sections = parts.map(({ title, fold, count }, number) => {
      const reused = old[number] && Boolean(old[number].fold) === Boolean(fold) ? old[number] : null
      const made = reused?.made ?? this.shell(Boolean(fold))
      write(made.querySelector(fold ? ".fold" : ".title"), fold || title)
      const grid = made.querySelector(".grid")
      set(grid, "aria-label", title || fold || "Pictures")
      if (fold) made.open = this.unfolded
      const section = { made, grid, fold, from, count, top: 0 }
      from += count
      return section
    })
    for (const { made } of old) if (!this.sections.some((section) => section.made === made)) made.remove()
    for (const { made } of this.sections) if (!made.isConnected) this.root.append(made)
  }

  shell(folds) {
    const made = element(folds ? "details" : "section", "section")
    made.append(folds ? element("summary", "fold") : element("h2", "title"), element("div", "grid", { role: "list" }))
    // Also fired when the page opened it: only a change that the page does not know of is sent.
    made.ontoggle = () => {
      if (!folds || made.open === this.unfolded) return
      this.unfolded = made.open
      this.layout()
      this.draw()
      this.trigger("fold", made.open ? "open" : "closed")
    }
    return made
  }

  // -- layout ----------------------------------------------------------------------------------------------------------

  // What can be seen, in pixels from the top of the grid; `covered` of them lie under the page's own bar.
  window() {
    const page = this.scroller === document.scrollingElement
    const edge = page ? 0 : this.scroller.getBoundingClientRect().top
    const top = edge - this.root.getBoundingClientRect().top
    const bar = document.querySelector("[data-testid=stHeader]")?.getBoundingClientRect()
    const covered = this.small || !bar ? 0 : Math.max(0, bar.bottom - edge)
    return { top, bottom: top + this.scroller.clientHeight, covered }
  }

  layout() {
    const width = this.root.clientWidth
    if (!width) return
    this.width = width
    const target = this.small ? SMALL : this.size * (width < NARROW ? 0.55 : 1)
    const gap = this.small ? 6 : width < NARROW ? 4 : 8
    this.order = []
    this.boxes = []
    for (const section of this.sections) {
      section.first = this.order.length
      section.open = !section.fold || section.made.open
      if (!section.open) continue
      const those = this.pictures.slice(section.from, section.from + section.count)
      const { boxes, height } = justified(those.map((picture) => picture.ratio), width, target, gap)
      section.grid.style.height = `${height}px`
      section.top = 0
      for (const picture of those) this.order.push(picture)
      for (const box of boxes) this.boxes.push(box)
    }
    this.places = new Map(this.order.map((picture, place) => [picture.id, place]))
    this.settle()
  }

  // Boxes count from the top of all; titles above them may have changed.
  settle() {
    for (const section of this.sections) {
      const moved = section.open ? section.grid.offsetTop - section.top : 0
      if (!moved) continue
      section.top += moved
      for (let place = section.first; place < section.first + section.count; place++) this.boxes[place].top += moved
    }
  }

  anchor() {
    const { top, covered } = this.window()
    if (top <= 0) return null
    const place = this.firstBelow(top + covered)
    return this.boxes[place] ? { id: this.order[place].id, offset: this.boxes[place].top - top } : null
  }

  // The first place, from `from` to before `to`, of a picture that ends below a line.
  firstBelow(line, from = 0, to = this.boxes.length) {
    return firstPlace(from, to, (place) => this.boxes[place].top + this.boxes[place].height > line)
  }

  keepPlace(change, anchor) {
    change()
    const place = anchor ? this.places.get(anchor.id) : undefined
    if (place === undefined) return
    this.scroller.scrollTop += this.boxes[place].top - this.window().top - anchor.offset
  }

  resize() {
    const width = this.root.clientWidth
    // A scroll bar that comes and goes with each layout would never end.
    const isFlicker = width === this.before && Math.abs(width - this.width) < 30 && performance.now() - this.changed < 200
    if (width && width !== this.width && !isFlicker) {
      this.before = this.width
      this.changed = performance.now()
      this.keepPlace(() => this.layout(), this.memory.anchor)
    }
    this.draw()
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  soon() {
    if (this.drawing) return
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0
      this.draw()
    })
  }

  draw() {
    if (!this.root.clientWidth || !this.data) return
    this.settle()
    const { top, bottom, covered } = this.window()
    const margin = bottom - top
    const isSeen = (box) => box.top >= top + covered && box.top < bottom
    const { memory } = this
    this.root.classList.toggle("selecting", memory.selected.size > 0)
    memory.anchor = this.anchor()
    const focused = this.focusedTile()
    let current = this.places.get(memory.current)
    // Tab leads to where the keys were before; after scrolling by hand, to the first visible picture.
    if (current === undefined || (!focused && !this.isHeld && !isSeen(this.boxes[current]))) {
      const first = firstPlace(0, this.boxes.length, (place) => this.boxes[place].top >= top + covered)
      current = this.boxes[first] && isSeen(this.boxes[first]) ? first : 0
      memory.current = this.order[current]?.id ?? null
    }
    const used = new Set()
    for (const section of this.sections) {
      let next = section.grid.firstChild
      for (const place of this.near(section, top - margin, bottom + margin, current)) {
        const tile = this.tileAt(place, section)
        used.add(tile)
        if (tile === next) next = next.nextSibling
        else section.grid.insertBefore(tile, next)
      }
    }
    for (const [id, tile] of this.tiles) {
      if (used.has(tile)) continue
      this.tiles.delete(id)
      dismissed(tile)
    }
    // Moving a tile to another section takes the focus from it.
    if (focused?.isConnected && !this.focusedTile()) focused.querySelector(".open").focus({ preventScroll: true })
  }

  // The places of a section that are drawn, in order: between two lines, and the one that Tab leads to.
  near({ open, first, count }, top, bottom, current) {
    if (!open) return []
    const end = first + count
    const isAll = this.order.length <= ALL_DRAWN
    const from = isAll ? first : this.firstBelow(top, first, end)
    const to = isAll ? end : firstPlace(from, end, (place) => this.boxes[place].top >= bottom)
    const places = Array.from({ length: to - from }, (_, at) => from + at)
    if (current >= first && current < from) places.unshift(current)
    if (current >= to && current < end) places.push(current)
    return places
  }

  tileAt(place, section) {
    const picture = this.order[place]
    const { id } = picture
    if (!this.tiles.has(id)) this.tiles.set(id, tileOf(this.actions))
    const tile = this.tiles.get(id)
    fill(tile, picture, place - section.first, section.count)
    mark(tile, this.lit, this.memory.selected.has(id), id === this.memory.current)
    const box = this.boxes[place]
    const top = box.top - section.top
    const style = `left:${box.left}px;top:${top}px;width:${box.width}px;height:${box.height}px`
    set(tile, "style", style)
    return tile
  }

  tools() {
    const made = element("div", "tools")
    made.append(this.sorts(), this.slider())
    return made
  }

  // The choice of an order; what a query is sorted by is part of its text, so the page has to know.
  sorts() {
    this.sort = element("select", "sort", { "aria-label": "Sort", title: "Sort" })
    this.sort.onchange = () => this.trigger("sorted", this.sort.value)
    return this.sort
  }

  chooseSort() {
    if (!this.sort) return
    const { sorts = [], sort = "" } = this.data
    const options = sorts.map(([value, label]) => Object.assign(element("option", "", {}, label), { value }))
    this.sort.replaceChildren(...options)
    this.sort.value = sort
    this.sort.hidden = !sorts.length
  }

  slider() {
    const label = element("label", "size", { title: "Size of the pictures" })
    const { min, max, step } = SIZES
    const input = element("input", "", { type: "range", min, max, step, "aria-label": "Size of the pictures" })
    try {
      this.size = Math.min(Math.max(Number(localStorage.getItem(KEPT_SIZE)) || SIZES.usual, min), max)
    } catch {
      // A browser that keeps nothing for this page: the size lasts as long as the page.
    }
    input.value = this.size
    const squares = (side, at) => at.map((y) => at.map((x) => `M${x} ${y}h${side}v${side}h-${side}z`).join("")).join("")
    label.innerHTML = svg(`<path d="${squares(4, [4, 10, 16])}"/>`)
    label.append(input)
    label.insertAdjacentHTML("beforeend", svg(`<path d="${squares(7, [4, 13])}"/>`))
    input.oninput = () => {
      this.size = Number(input.value)
      try {
        localStorage.setItem(KEPT_SIZE, this.size)
      } catch {
        // As above.
      }
      this.keepPlace(() => this.layout(), this.anchor())
      this.draw()
    }
    return label
  }

  // -- the focus ------------------------------------------------------------------------------------------------------

  focusedTile() {
    const focused = this.root.getRootNode().activeElement
    return focused?.matches(":focus-visible") ? focused.closest(".tile") : null
  }

  go(place) {
    if (!this.order[place]) return
    this.memory.current = this.order[place].id
    this.reveal(place)
    this.draw()
    this.tiles.get(this.memory.current).querySelector(".open").focus({ preventScroll: true })
    this.draw()
  }

  reveal(place) {
    const box = this.boxes[place]
    const { top, bottom, covered } = this.window()
    const above = box.top - (top + covered + 12)
    const below = box.top + box.height - (bottom - 16)
    if (above < 0) this.scroller.scrollTop += above
    else if (below > 0) this.scroller.scrollTop += Math.min(below, above)
  }

  open(id) {
    this.memory.opened = id
    this.trigger("opened", id)
    if (this.dialogs || this.small) return
    // A dialog gives the focus back to what had it, but does not see into a component: it would be lost.
    let isOpen = false
    this.dialogs = new MutationObserver(() => {
      const wasOpen = isOpen
      isOpen = Boolean(document.querySelector(DIALOG))
      if (wasOpen && !isOpen) setTimeout(() => !document.querySelector(DIALOG) && this.back(this.memory.focus ?? this.memory.opened), 0)
    })
    this.dialogs.observe(document.body, { childList: true, subtree: true })
  }

  // To the picture of a dialog that was closed, unless the focus is elsewhere by now.
  back(id) {
    const active = document.activeElement
    const isLost = !active || active === document.body || active.contains(this.root.getRootNode().host)
    const place = this.places.get(id)
    if (isLost && place !== undefined) this.go(place)
  }

  // -- the selection --------------------------------------------------------------------------------------------------

  select(ids) {
    const { memory } = this
    const before = memory.selected
    memory.selected = new Set(ids)
    if (before.size === memory.selected.size && [...before].every((id) => memory.selected.has(id))) return
    this.draw()
    if (!this.band) this.send()
  }

  toggle(id) {
    const { memory } = this
    const ids = new Set(memory.selected)
    if (!ids.delete(id)) ids.add(id)
    this.select(ids)
    Object.assign(memory, { from: id, base: ids })
  }

  // From the one that was selected last, or `start`, to this one; beside what was selected before.
  range(id, start = id) {
    const { memory } = this
    if (!this.places.has(memory.from)) Object.assign(memory, { from: start, base: new Set(memory.selected) })
    const [from, to] = [this.places.get(memory.from), this.places.get(id)].sort((one, other) => one - other)
    this.select([...memory.base, ...this.order.slice(from, to + 1).map((picture) => picture.id)])
  }

  clear() {
    Object.assign(this.memory, { from: null, base: new Set() })
    this.select([])
  }

  send() {
    clearTimeout(this.sending)
    clearTimeout(this.sendingAgain)
    this.sendingAgain = null
    this.sending = setTimeout(() => {
      const ids = this.pictures.map((picture) => picture.id).filter((id) => this.memory.selected.has(id))
      this.say(ids.length ? `${ids.length} selected` : "Nothing selected")
      this.state("selected", { query: this.data.query, stamp: this.memory.stamp, ids })
    }, SEND_AFTER)
  }

  // Whether the page has this selection, or is of another search and needs none.
  isKnown() {
    const { known, query } = this.marks
    const { selected } = this.memory
    return query !== this.data.query || (known[0] === selected.size && known[1] === sumOf(selected))
  }

  // Streamlit forgets the values of a component that it removed, and a server that was started again knows none. Not at
  // once: a value that is on its way comes by itself, and the run that it would come with again ends the one before it,
  // with what was clicked meanwhile.
  sendAgain() {
    this.sendingAgain ??= setTimeout(() => {
      this.sendingAgain = null
      if (!this.isKnown() && !this.band) this.send()
    }, RETRY_AFTER)
  }

  say(text) {
    this.memory.said = text
    write(this.said, text)
  }
}

export default function ({ data: [data], parentElement, setStateValue, setTriggerValue }) {
  const Kind = data.timeline ? Timeline : Gallery
  if (parentElement.gallery && !(parentElement.gallery.constructor === Kind)) {
    parentElement.gallery.close()
    parentElement.gallery.root.remove()
    parentElement.gallery = null
  }
  const gallery = (parentElement.gallery ??= new Kind(parentElement, data))
  gallery.state = setStateValue
  gallery.trigger = setTriggerValue
  gallery.take(data)
  // Streamlit also calls this for a drawing that a newer one overtook, while the component stays.
  return () => setTimeout(() => gallery.root.isConnected || gallery.close(), 0)
}
