// A slideshow of all hits of a search, in order or shuffled, over everything else. The browser steps by itself: a picture
// is shown once it is decoded, and the page follows when the show ends.

const SECONDS = [2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const KEPT = { seconds: "sightline-slide-seconds", shuffled: "sightline-slides-shuffled" }
const FADE_AFTER = 2500 // ms without a movement until the controls go
const BATCH = 40 // pictures that are asked for at once
const MOST_FAILURES = 10 // one after the other

// A browser that keeps nothing for this page: what was chosen lasts as long as the page.
const kept = {}
function recall(name) {
  try {
    return localStorage.getItem(KEPT[name]) ?? kept[name]
  } catch {
    return kept[name]
  }
}
function keep(name, value) {
  kept[name] = String(value)
  try {
    localStorage.setItem(KEPT[name], value)
  } catch {
    // As above.
  }
}

function shuffled(ids) {
  const made = [...ids]
  for (let at = made.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[made[at], made[other]] = [made[other], made[at]]
  }
  return made
}

class Slideshow {
  // `onEnd` is told the last picture; `onStar` a picture whose star is to change.
  constructor({ parent, onEnd, onStar }) {
    Object.assign(this, { onEnd, onStar, isOpen: false, pictures: new Map(), direction: 1 })
    this.root = element("div", "show", { role: "dialog", "aria-modal": "true", "aria-label": "Slideshow", tabindex: "-1", popover: "manual" })
    this.screen = element("div", "screen")
    this.caption = element("span", "caption")
    this.said = element("span", "said", { role: "status" })
    this.before = button("tool", "Previous picture", "Left", ICONS.previous)
    this.playing = button("tool play", "Pause", "Space", ICONS.pause)
    this.after = button("tool", "Next picture", "Right", ICONS.next)
    this.shuffle = button("tool", "Shuffle", "", ICONS.shuffle)
    this.close = button("tool", "End the slideshow", "Esc", ICONS.close)
    this.pace = element("select", "pace", { "aria-label": "Seconds for each picture" })
    for (const seconds of SECONDS) this.pace.append(new Option(`${seconds} s`, seconds))
    this.controls = element("div", "controls", { role: "group", "aria-label": "Slideshow controls" })
    this.controls.append(this.caption, this.before, this.playing, this.after, this.shuffle, this.pace, this.close)
    // The whole screen is asked for by what is in the popover: an element can't be both.
    this.room = element("div", "room")
    this.room.append(this.screen, this.controls, this.said)
    this.root.append(this.room)
    parent.append(this.root)
    this.listen()
  }

  listen() {
    this.before.onclick = () => this.step(-1)
    this.after.onclick = () => this.step(1)
    this.playing.onclick = () => this.play(!this.isPlaying)
    this.shuffle.onclick = () => this.setShuffled(!this.isShuffled)
    this.close.onclick = () => this.end()
    this.pace.onchange = () => {
      keep("seconds", this.pace.value)
      this.plan()
    }
    for (const name of ["pointermove", "pointerdown", "focusin"]) this.root.addEventListener(name, () => this.wake())
    this.screen.onpointerdown = (event) => {
      this.from = { x: event.clientX, y: event.clientY }
      this.screen.setPointerCapture(event.pointerId)
    }
    this.screen.onpointerup = (event) => {
      const [across, down] = [event.clientX - this.from.x, event.clientY - this.from.y]
      if (event.pointerType === "touch" && Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(down)) this.step(across < 0 ? 1 : -1)
    }
    this.screen.ondblclick = () => this.end()
    // The browser leaves the whole screen by Esc without telling of the key.
    this.room.onfullscreenchange = () => this.isOpen && !this.room.matches(":fullscreen") && this.wasFull && this.end()
    this.onvisible = () => this.isOpen && (document.hidden ? clearTimeout(this.timer) : (this.plan(), this.stayAwake()))
  }

  // -- beginning and end -----------------------------------------------------------------------------------------------

  // `here`: the picture to begin with; `near`: those that are known already, in order.
  async begin(here, near) {
    Object.assign(this, { isOpen: true, isPlaying: true, here, shown: undefined, failures: 0, wasFull: false })
    this.pictures = new Map(near.map((picture) => [picture.id, picture]))
    this.isShuffled = recall("shuffled") === "true"
    this.pace.value = SECONDS.includes(Number(recall("seconds"))) ? recall("seconds") : 5
    this.root.showPopover?.()
    this.room.requestFullscreen?.().then(() => (this.wasFull = true), () => {}) // it covers the window anyway
    this.root.focus()
    document.addEventListener("visibilitychange", this.onvisible)
    this.arrange(near.map((picture) => picture.id))
    this.wake()
    this.stayAwake()
    await this.present(here)
    const ids = await this.allIds()
    if (!this.isOpen) return
    if (ids) this.arrange(ids)
    else this.said.textContent = this.caption.textContent = "Only the pictures around this one: the server does not answer."
    this.plan()
  }

  end() {
    if (!this.isOpen) return
    this.isOpen = false
    clearTimeout(this.timer)
    clearTimeout(this.fading)
    document.removeEventListener("visibilitychange", this.onvisible)
    this.lock?.release()
    this.lock = undefined
    if (this.room.matches(":fullscreen")) document.exitFullscreen()
    this.root.hidePopover?.()
    this.screen.replaceChildren()
    this.onEnd(this.here)
  }

  remove() {
    this.isOpen = false
    clearTimeout(this.timer)
    clearTimeout(this.fading)
    document.removeEventListener("visibilitychange", this.onvisible)
    this.lock?.release()
  }

  async stayAwake() {
    if (!this.isPlaying) return
    const lock = await navigator.wakeLock?.request("screen").catch(() => undefined)
    if (this.isOpen && this.isPlaying) this.lock = lock
    else lock?.release()
  }

  // -- what is shown, and when ------------------------------------------------------------------------------------------

  // A permutation of all that stays until another one is chosen, and begins with the picture that is shown.
  arrange(ids) {
    this.inOrder = ids
    const { id } = this.here
    if (this.isShuffled) this.ids = [id, ...shuffled(ids.filter((each) => each !== id))]
    // A picture that the search does not show goes before the one that follows it here.
    else if (ids.includes(id)) this.ids = ids
    else {
      const next = [...this.pictures.keys()].find((each, at, all) => at > all.indexOf(id) && ids.includes(each))
      const place = Math.max(0, ids.indexOf(next))
      this.ids = [...ids.slice(0, place), id, ...ids.slice(place)]
    }
    this.at = this.ids.indexOf(id)
    this.label()
  }

  setShuffled(yes) {
    this.isShuffled = yes
    keep("shuffled", yes)
    this.arrange(this.inOrder)
    this.plan()
  }

  async allIds() {
    const { q = "", below = "" } = Object.fromEntries(new URLSearchParams(location.search))
    try {
      const answer = await fetch(`/slides/order?${new URLSearchParams({ q, below })}`)
      return answer.ok ? (await answer.json()).ids : undefined
    } catch {
      return undefined
    }
  }

  place(by) {
    return (this.at + by + this.ids.length) % this.ids.length
  }

  // The picture of a place; its neighbours in this direction come with it. Undefined where it is gone.
  async picture(place) {
    const id = this.ids[place]
    if (!this.pictures.has(id)) {
      const wanted = []
      for (let at = 0; at < Math.min(BATCH, this.ids.length); at++) {
        const each = this.ids[(place + at * this.direction + this.ids.length * BATCH) % this.ids.length]
        if (!this.pictures.has(each)) wanted.push(each)
      }
      const answer = await fetch(`/slides/pictures?ids=${wanted.join(",")}`)
      if (!answer.ok) throw new Error(answer.statusText)
      for (const picture of (await answer.json()).pictures) this.pictures.set(picture.id, picture)
      for (const each of wanted) if (!this.pictures.has(each)) this.pictures.set(each, undefined)
    }
    return this.pictures.get(id)
  }

  // An image of a picture, decoded: its preview, or its thumbnail where the file can't be read now.
  async image(picture) {
    for (const src of [picture.large, picture.small].filter(Boolean)) {
      const image = element("img", "slide", { alt: picture.name, draggable: "false", src })
      image.style.setProperty("--width", `${picture.width}px`)
      image.style.setProperty("--ratio", picture.width / picture.height)
      if (await image.decode().then(() => true, () => false)) return image
    }
    return undefined
  }

  async load(place) {
    try {
      const picture = await this.picture(place)
      return picture?.small ? { picture, image: await this.image(picture) } : {}
    } catch {
      return {} // no answer: the next one may come
    }
  }

  async present(picture) {
    const image = await this.image(picture)
    if (this.isOpen && image && this.here === picture) this.put(picture, image)
  }

  // The next one is loaded while this one is looked at.
  plan() {
    clearTimeout(this.timer)
    if (!this.isOpen || this.ids.length < 2) return
    const [place, { here }] = [this.place(1), this]
    this.direction = 1
    const coming = this.load(place)
    if (!this.isPlaying || document.hidden) return
    this.timer = setTimeout(async () => {
      const { picture, image } = await coming
      if (this.isOpen && this.isPlaying && this.here === here && this.place(1) === place) this.arrive(place, picture, image)
    }, Number(this.pace.value) * 1000)
  }

  async step(by) {
    if (!this.isOpen || this.ids.length < 2) return
    clearTimeout(this.timer)
    this.direction = by
    const place = this.place(by)
    // What was asked for last is shown, however quick the keys are.
    this.at = place
    this.label()
    const { picture, image } = await this.load(place)
    if (!this.isOpen || this.at !== place) return
    this.arrive(place, picture, image, by)
    if (picture) this.said.textContent = [picture.name, this.position()].join(", ")
  }

  arrive(place, picture, image, by = 1) {
    this.at = place
    this.failures = image ? 0 : this.failures + 1
    if (image) {
      this.here = picture
      this.put(picture, image)
      this.plan()
    } else if (this.failures < Math.min(MOST_FAILURES, this.ids.length)) this.step(by)
    else {
      this.play(false)
      this.caption.textContent = this.said.textContent = "These pictures can't be read now."
      this.wake()
    }
  }

  put(picture, image) {
    const before = [...this.screen.children]
    this.screen.append(image)
    image.getBoundingClientRect() // else it would be there without a transition
    image.classList.add("there")
    for (const old of before) {
      old.classList.remove("there")
      old.ariaHidden = "true"
      setTimeout(() => old.remove(), 700)
    }
    this.label()
  }

  position() {
    return `${(this.at + 1).toLocaleString("en")} of ${this.ids.length.toLocaleString("en")}`
  }

  label() {
    const coming = this.pictures.get(this.ids[this.at])
    const isFavourite = coming?.id === this.here.id ? this.here.favourite : coming?.favourite
    this.caption.textContent = [this.position(), coming?.name, isFavourite && "favourite"].filter(Boolean).join(" · ")
    const say = (made, label, hint, drawn) => {
      made.ariaLabel = label
      made.title = hint ? `${label} (${hint})` : label
      if (drawn) made.innerHTML = drawn
    }
    if (this.isPlaying !== this.drawnPlaying) say(this.playing, this.isPlaying ? "Pause" : "Play", "Space", this.isPlaying ? ICONS.pause : ICONS.play)
    this.drawnPlaying = this.isPlaying
    this.shuffle.ariaPressed = String(this.isShuffled)
  }

  play(yes) {
    this.isPlaying = yes
    this.said.textContent = yes ? "Playing" : "Paused"
    this.label()
    this.wake()
    this.plan()
    if (yes) return this.stayAwake()
    this.lock?.release()
    this.lock = undefined
  }

  // -- controls --------------------------------------------------------------------------------------------------------

  wake() {
    this.root.classList.remove("idle")
    clearTimeout(this.fading)
    this.fading = setTimeout(() => {
      const isUsed = this.controls.matches(":focus-within") && this.controls.querySelector(":focus-visible")
      if (this.isPlaying && !isUsed) this.root.classList.add("idle")
    }, FADE_AFTER)
  }

  // Whether the key is the show's; all are, but for those that a focused control knows.
  key(event) {
    this.wake()
    const focused = this.root.getRootNode().activeElement
    const isControl = this.controls.contains(focused) && focused.matches(":focus-visible")
    if (event.key === "Tab") return () => this.tab(focused, event.shiftKey)
    if (focused === this.pace && event.key !== "Escape") return undefined
    if (isControl && [" ", "Enter"].includes(event.key)) return undefined
    const acts = {
      " ": () => event.repeat || this.play(!this.isPlaying),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      Escape: () => this.end(),
      s: () => this.end(),
      f: () => event.repeat || this.star(),
    }
    return acts[event.key] ?? (() => {})
  }

  star() {
    this.onStar(this.here)
    this.said.textContent = this.here.favourite ? "Now a favourite" : "No longer a favourite"
    this.label()
  }

  tab(focused, isBack) {
    const all = [this.before, this.playing, this.after, this.shuffle, this.pace, this.close]
    const at = all.indexOf(focused)
    const next = at < 0 ? (isBack ? all.length - 1 : 0) : (at + (isBack ? -1 : 1) + all.length) % all.length
    all[next].focus()
  }
}
