// What mouse, fingers and keys do with the grid.

const DRAG_FROM = 5
const HOLD = 500
const EDGE = 70

const isTyping = (event) =>
  Boolean(event.composedPath()[0]?.closest?.("input, textarea, select, [contenteditable]:not([contenteditable=false])"))

const idOf = (event) => event.target.closest?.(".tile")?.picture.id

function listen(gallery, signal) {
  const { root } = gallery
  const on = (target, name, listener, options = {}) => target.addEventListener(name, listener, { signal, ...options })
  on(root, "click", (event) => clicked(gallery, event))
  on(root, "keydown", (event) => pressed(gallery, event))
  // Some browsers press a focused button when the space bar comes up again.
  on(root, "keyup", (event) => event.key === " " && !gallery.small && event.target.matches(".open") && event.preventDefault())
  on(root, "focusin", (event) => {
    const id = idOf(event)
    gallery.isHeld = id !== undefined
    gallery.memory.focused = id ?? null
    if (id === undefined || id === gallery.memory.current) return
    gallery.memory.current = id
    gallery.draw()
  })
  // Where the grid is removed and made again, the focus must come back with it.
  const left = () => root.isConnected && !root.matches(":focus-within") && (gallery.memory.focused = null)
  on(root, "focusout", () => setTimeout(left, 0))
  for (const name of ["wheel", "touchmove"]) on(gallery.scroller, name, () => (gallery.isHeld = false), { passive: true })
  if (gallery.small) return
  on(document, "keydown", (event) => pressedAnywhere(gallery, event))
  on(root, "pointerdown", (event) => {
    gallery.ignoreClick = false
    if (event.pointerType === "mouse") drag(gallery, event)
    else hold(gallery, event)
  })
  on(root, "dragstart", (event) => event.preventDefault())
  // A long press selects; it must not open the browser's menu.
  on(root, "contextmenu", (event) => gallery.ignoreClick && event.preventDefault())
}

function clicked(gallery, event) {
  if (gallery.ignoreClick) return
  const button = event.target.closest("button")
  if (!button) return
  const id = Number(button.dataset.id)
  const { action } = button.dataset
  const isPlain = !event.shiftKey && !event.ctrlKey && !event.metaKey
  if (action === "opened" && (isPlain || gallery.small)) gallery.open(id)
  else if (event.shiftKey && ["opened", "tick"].includes(action)) gallery.range(id)
  else if (["opened", "tick"].includes(action)) gallery.toggle(id)
  else act(gallery, action, id)
}

function act(gallery, action, id) {
  if (!gallery.actions.includes(action)) return
  if (action === "star") gallery.star(id)
  else gallery.trigger({ like: "liked", dislike: "disliked" }[action], id)
}

// -- keys -------------------------------------------------------------------------------------------------------------

function pressed(gallery, event) {
  const id = idOf(event)
  if (id === undefined || event.ctrlKey || event.altKey || event.metaKey) return
  const place = gallery.places.get(id)
  const next = moved(gallery, event.key, place)
  const letters = { f: "star", l: "like", d: "dislike" }
  const letter = event.shiftKey ? undefined : letters[event.key]
  const isSpace = event.key === " " && event.target.matches(".open")
  if (next === null && (gallery.small || (!letter && !isSpace))) return
  event.preventDefault()
  if (next !== null) {
    gallery.go(next)
    if (event.shiftKey && !gallery.small) gallery.range(gallery.order[next].id, id)
  } else if (isSpace && event.shiftKey) gallery.range(id)
  else if (isSpace) gallery.toggle(id)
  else if (!event.repeat) act(gallery, letter, id)
}

// Where a key leads from a place; null for keys that lead nowhere.
function moved(gallery, key, place) {
  const { boxes } = gallery
  const last = boxes.length - 1
  const sideways = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: last }
  if (key in sideways) {
    gallery.column = null
    return Math.min(Math.max(sideways[key], 0), last)
  }
  const { top, bottom, covered } = gallery.window()
  const page = Math.max(1, Math.floor((bottom - top - covered) / (boxes[place].height + 8)) - 1)
  const rows = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page }[key]
  if (!rows) return null
  // Down a long column and up again ends where it began, though rows differ.
  if (gallery.column?.at !== place) gallery.column = { x: middle(boxes[place]) }
  gallery.column.at = inRow(boxes, place, rows, gallery.column.x)
  return gallery.column.at
}

function pressedAnywhere(gallery, event) {
  if (isTyping(event) || event.ctrlKey || event.altKey || event.metaKey || document.querySelector(DIALOG)) return
  if (event.key === "Escape" && gallery.band) gallery.band.cancel()
  else if (event.key === "Escape" && gallery.memory.selected.size) gallery.clear()
}

// -- mouse and fingers ------------------------------------------------------------------------------------------------

function hold(gallery, event) {
  const id = idOf(event)
  if (id === undefined) return
  const done = new AbortController()
  const timer = setTimeout(() => {
    done.abort()
    gallery.ignoreClick = true
    gallery.toggle(id)
  }, HOLD)
  const stop = () => {
    clearTimeout(timer)
    done.abort()
  }
  const { signal } = done
  for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, stop, { signal })
  const isAway = (now) => Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > 2 * DRAG_FROM
  window.addEventListener("pointermove", (now) => isAway(now) && stop(), { signal })
}

// A rubber band: selects what it touches, beside what was selected with Shift or Ctrl held down; scrolls at the edges.
function drag(gallery, event) {
  if (event.button !== 0 || event.target.closest("summary, label")) return
  const { root, memory, scroller } = gallery
  const point = (at) => {
    const { left, top } = root.getBoundingClientRect()
    return { x: at.clientX - left, y: at.clientY - top }
  }
  const from = point(event)
  const before = new Set(memory.selected)
  const base = event.shiftKey || event.ctrlKey || event.metaKey ? before : new Set()
  const done = new AbortController()
  let last = event
  let frame = 0
  let band = null

  const grow = () => {
    const to = point(last)
    const area = {
      left: Math.max(0, Math.min(from.x, to.x)), right: Math.min(root.clientWidth, Math.max(from.x, to.x)),
      top: Math.max(0, Math.min(from.y, to.y)), bottom: Math.min(root.clientHeight, Math.max(from.y, to.y)),
    } // prettier-ignore
    band.style.cssText = `left:${area.left}px;top:${area.top}px;width:${area.right - area.left}px;height:${area.bottom - area.top}px`
    const touched = gallery.order.filter((_, place) => overlaps(gallery.boxes[place], area))
    gallery.select([...base, ...touched.map((picture) => picture.id)])
  }
  const roll = () => {
    const { top, bottom, covered } = gallery.window()
    const { y } = point(last)
    const over = Math.max(0, y - (bottom - EDGE)) - Math.max(0, top + covered + EDGE - y)
    if (over) {
      scroller.scrollTop += Math.sign(over) * Math.min(Math.abs(over) / 4, 30)
      grow()
    }
    frame = requestAnimationFrame(roll)
  }
  const finish = () => {
    done.abort()
    cancelAnimationFrame(frame)
    if (!band) return
    band.remove()
    gallery.band = null
    gallery.send()
    Object.assign(memory, { from: null, base: new Set(memory.selected) })
  }
  const begin = () => {
    band = element("div", "band")
    root.append(band)
    gallery.band = { cancel: () => (gallery.select(before), finish()) }
    gallery.ignoreClick = true
    frame = requestAnimationFrame(roll)
  }
  const move = (now) => {
    last = now
    if (!band && Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) <= DRAG_FROM) return
    if (!band) begin()
    grow()
  }
  window.addEventListener("pointermove", move, { signal: done.signal })
  for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, finish, { signal: done.signal })
}
