// One picture, large. The thumbnail is there at once; the preview fades in over it. The next picture is shown before the
// server has answered: the server only follows with the facts beside it.

const REST = 120 // ms on a picture before its preview is requested: going through quickly makes none
const SWIPE = 48 // px
const FAR = 10_000 // ms that the server has to follow to a picture that it did not send

// Keys that move an enlarged picture, by parts of what is in view across and down.
const PANS = {
  ArrowUp: [0, -0.2], ArrowDown: [0, 0.2], "Shift+ArrowUp": [0, -0.2], "Shift+ArrowDown": [0, 0.2],
  "Shift+ArrowLeft": [-0.2, 0], "Shift+ArrowRight": [0.2, 0],
  PageUp: [0, -0.9], PageDown: [0, 0.9], Home: [0, -Infinity], End: [0, Infinity],
}

// Where these have the focus, keys belong to them: typing, tags, small pictures.
const OWN_KEYS = "input:not([type=checkbox]), textarea, select, [contenteditable=true], [role=combobox], [role=listbox], .tile"
const keysAreTaken = (event) => event.composedPath().some((node) => node.matches?.(OWN_KEYS))

class Viewer extends FoundFrame {
  listen() {
    this.previous.onclick = () => this.step(-1)
    this.next.onclick = () => this.step(1)
    this.out.onclick = () => this.zoom(1 / 1.5)
    this.in.onclick = () => this.zoom(1.5)
    this.actual.onclick = () => this.toActual()
    this.full.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen())
    this.slides.onclick = () => this.startShow()
    this.why.onclick = () => this.toggleWhy()
    this.outline.onclick = () => this.toggleFound()
    this.crop.onclick = () => this.startCrop()
    this.leave.onclick = () => this.endCrop()
    this.take.onclick = () => this.takePart()
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false })
    this.stage.ondblclick = (event) => {
      if (this.box || event.target.closest("button")) return
      this.scale > 1 ? this.reset() : this.closer(event)
    }
    this.resized = new ResizeObserver(() => this.place())
    this.resized.observe(this.stage)
    this.stage.onpointerdown = (event) => this.down(event)
    this.stage.onpointermove = (event) => this.move(event)
    this.stage.onpointerup = this.stage.onpointercancel = (event) => this.up(event)
    // On the window and first: the page behind the dialog knows the same keys, and the dialog closes with Esc.
    this.onkeydown = (event) => this.key(event)
    this.slideshow = new Slideshow({ parent: this.root, onEnd: (picture) => this.endShow(picture), onStar: (picture) => this.star(picture) })
    window.addEventListener("keydown", this.onkeydown, true)
  }

  remove() {
    window.removeEventListener("keydown", this.onkeydown, true)
    clearTimeout(this.timer)
    this.resized.disconnect()
    this.slideshow.remove()
    this.holdFacts(false)
    this.tiles.clear()
    this.root.remove()
  }

  update(data, trigger, setState) {
    Object.assign(this, { trigger, setState })
    this.pictures = data.pictures
    if (data.acknowledged) eventQueue.acknowledge(data.acknowledged)
    if (data.opening) closing.drawn(data.opening, data.pictures)
    this.isOnlyForParts = data.cropping
    if (this.words !== data.words) this.clearWhy()
    this.words = data.words
    this.why.hidden = !data.words
    this.root.classList.toggle("only", data.cropping)
    this.slides.hidden = data.cropping
    // An answer to an earlier step: the visitor is already further.
    const isFurther = this.awaited !== undefined && this.awaited !== data.shown
    if (isFurther && (this.at(this.awaited) >= 0 || performance.now() < this.farUntil)) return this.arrows()
    this.awaited = undefined
    this.holdFacts(false)
    const shown = data.pictures[this.at(data.shown)]
    if (this.here?.id === data.shown) {
      this.here = shown
      this.drawFound()
    } else {
      // Opened from somewhere else in the dialog: the keys are for the picture then, which may be out of sight.
      if (this.here) this.stage.focus()
      this.show(shown)
    }
    this.arrows()
    if (this.box) this.setBox(this.box) // a part that was refused: the dialog says why, and another can be taken
    else if (data.cropping) this.startCrop()
  }

  at(id) {
    return this.pictures.findIndex((picture) => picture.id === id)
  }

  arrows() {
    const at = this.at(this.here.id)
    const isAlone = this.pictures.length < 2
    for (const [button, isThere] of [[this.previous, at > 0], [this.next, at >= 0 && at < this.pictures.length - 1]]) {
      button.hidden = isAlone
      button.setAttribute("aria-disabled", String(!isThere)) // not `disabled`, which would lose the focus
    }
    this.position.textContent = this.here.position
  }

  step(by) {
    const next = this.pictures[this.at(this.here.id) + by]
    if (!next || this.box) return
    this.direction = by
    this.goTo(next)
    this.said.textContent = [next.name, next.position, next.found && "found by a part of it"].filter(Boolean).join(", ")
  }

  goTo(next) {
    this.awaited = next.id
    this.holdFacts(true)
    this.show(next)
    this.arrows()
    // Replaced here, because the server can only add steps to the history; see photo_navigation.py.
    const address = new URLSearchParams(location.search)
    address.set("photo", next.id)
    history.replaceState(history.state, "", `${location.pathname}?${address}`)
    this.trigger("moved", next.id)
  }

  // What is beside it is of the picture before, until the server has followed: a tag typed now would be that one's.
  holdFacts(isHeld) {
    clearTimeout(this.holding)
    if (isHeld) this.holding = setTimeout(() => this.holdFacts(false), FAR) // a server that does not follow
    const facts = document.querySelector(".st-key-photo-beside")
    if (facts) facts.inert = isHeld
  }

  startShow() {
    if (this.box || this.isOnlyForParts || this.slideshow.isOpen) return
    this.slideshow.begin(this.here, this.pictures)
  }

  // To the picture that the show ended at. It may be far from those that the page sent.
  endShow(picture) {
    this.slides.focus({ preventScroll: true })
    if (picture.id === this.here.id) return
    this.farUntil = performance.now() + FAR
    this.goTo(picture)
  }

  star(picture = this.here) {
    const { id } = picture
    const known = this.pictures[this.at(id)] ?? picture
    const expected = eventQueue.pending.findLast((each) => each.id === id)?.yes
    const yes = !(expected ?? known.favourite)
    // A slideshow is far from the pictures that the page sends anew.
    picture.favourite = yes
    eventQueue.send({ id, yes }, (changes) => this.setState("favourites", changes))
  }

  show(picture) {
    this.clearWhy()
    this.here = picture
    this.drawFound()
    this.tiles.show(picture)
    clearTimeout(this.timer)
    this.large?.remove()
    this.large = undefined
    this.notice.textContent = ""
    const isGone = !picture.small
    this.gone.hidden = !isGone
    this.canvas.hidden = isGone
    this.crop.hidden = isGone || this.isOnlyForParts
    this.why.hidden = isGone || !this.words
    if (isGone) return this.reset()
    this.canvas.style.setProperty("--ratio", (picture.width / picture.height).toFixed(5))
    this.canvas.style.setProperty("--width", `${picture.width}px`)
    this.canvas.style.backgroundColor = picture.colour
    this.stage.style.setProperty("--colour", picture.colour || "transparent")
    this.reset()
    this.small.removeAttribute("src") // else the old picture stands in the new one's place until that is there
    this.small.src = picture.small
    this.small.alt = picture.name
    if (!picture.large) return
    this.timer = setTimeout(() => this.showLarge(picture), REST)
  }

  async showLarge(picture) {
    const large = element("img", "large", { alt: "", draggable: "false" })
    large.src = picture.large
    const isThere = await large.decode().then(() => true, () => false)
    if (this.here !== picture && this.here.id !== picture.id) return
    if (!isThere) {
      this.notice.textContent = "Only its small copy: the file can't be read now."
      return
    }
    this.small.after(large)
    this.large = large
    requestAnimationFrame(() => large.classList.add("there"))
    this.tiles.preview = large.naturalWidth
    this.place()
    const at = this.at(picture.id)
    for (const by of [this.direction, -this.direction]) {
      const neighbour = this.pictures[at + by]
      if (neighbour?.large) new Image().src = neighbour.large
    }
  }

  // -- pointers ------------------------------------------------------------------------------------------------------

  down(event) {
    if (event.target.closest("button") || event.button > 0) return
    this.stage.setPointerCapture(event.pointerId)
    this.pointers.set(event.pointerId, event)
    this.from = { x: event.clientX, y: event.clientY, apart: this.apart() }
    if (this.box) this.grab(event)
  }

  apart() {
    const [a, b] = [...this.pointers.values()]
    return b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0
  }

  move(event) {
    const last = this.pointers.get(event.pointerId)
    if (!last) return
    this.pointers.set(event.pointerId, event)
    if (this.box) return this.drag(event)
    if (this.pointers.size === 2) {
      const apart = this.apart()
      if (this.from.apart) this.zoom(apart / this.from.apart, event)
      this.from = { apart }
    } else if (this.scale > 1) {
      this.x += event.clientX - last.clientX
      this.y += event.clientY - last.clientY
      this.place()
    }
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return
    const isSwipe = event.pointerType === "touch" && event.type === "pointerup" && this.from?.x !== undefined
    if (this.box || !isSwipe || this.scale > 1 || this.pointers.size) return
    const across = event.clientX - this.from.x
    if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(event.clientY - this.from.y)) this.step(across < 0 ? 1 : -1)
  }

  // -- keys ----------------------------------------------------------------------------------------------------------

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    if (!this.slideshow.isOpen && keysAreTaken(event)) return
    const act = this.slideshow.isOpen ? this.slideshow.key(event) : this.box ? this.cropKey(event) : this.viewKey(event)
    if (!act) return
    event.preventDefault()
    event.stopImmediatePropagation()
    act()
  }

  viewKey(event) {
    const pan = this.scale > 1 && PANS[event.shiftKey ? `Shift+${event.key}` : event.key]
    if (pan) return () => this.pan(...pan)
    if (event.shiftKey && event.key !== "+") return undefined
    return {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      "+": () => this.zoom(1.5),
      "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.reset(),
      1: () => this.toActual(),
      f: () => event.repeat || this.isOnlyForParts || this.star(),
      s: () => this.startShow(),
      w: () => event.repeat || this.toggleWhy(),
      p: () => event.repeat || this.toggleFound(),
    }[event.key]
  }

  cropKey(event) {
    if (event.key === "Escape") return this.isOnlyForParts ? undefined : () => this.endCrop()
    // Enter on a button presses it.
    if (event.key === "Enter") return event.composedPath()[0].closest?.("button") ? undefined : () => this.takePart()
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? []
    if (across === undefined) return undefined
    return () => {
      const [left, top, right, bottom] = this.box
      if (event.shiftKey) {
        this.setBox([left, top, clamp(right + across * MOVE, left + LEAST, 1), clamp(bottom + down * MOVE, top + LEAST, 1)])
      } else {
        const x = clamp(left + across * MOVE, 0, 1 - (right - left))
        const y = clamp(top + down * MOVE, 0, 1 - (bottom - top))
        this.setBox([x, y, x + right - left, y + bottom - top])
      }
    }
  }
}

const viewers = new WeakMap()

export default function ({ data: [data], parentElement, setStateValue, setTriggerValue }) {
  let viewer = viewers.get(parentElement)
  if (!viewer) {
    viewer = new Viewer(parentElement)
    viewers.set(parentElement, viewer)
  }
  viewer.update(data, setTriggerValue, setStateValue)
  // Streamlit also calls this for a drawing that a newer one replaced, while the component stays.
  return () =>
    setTimeout(() => {
      if (viewer.root.isConnected) return
      viewer.remove()
      if (viewers.get(parentElement) === viewer) viewers.delete(parentElement)
    }, 0)
}
