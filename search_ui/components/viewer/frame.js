// The frame of a picture: the stage with its buttons, and the zoom.

const LARGEST = 8 // times as large as it fits, or twice its own pixels where that is more
const TALL = 1 / 2.2 // such a picture is read from its top

const icon = (paths) => `<svg viewBox="0 0 24 24" aria-hidden="true">${paths}</svg>`
const ICONS = {
  previous: icon('<path d="m15 5-7 7 7 7"/>'),
  next: icon('<path d="m9 5 7 7-7 7"/>'),
  out: icon('<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5M8.5 11h5"/>'),
  in: icon('<circle cx="11" cy="11" r="6.5"/><path d="m16 16 4.5 4.5M8.5 11h5M11 8.5v5"/>'),
  part: icon('<path d="M7 3v14h14M3 7h14v14"/>'),
  slides: icon('<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m10.5 9 4 3-4 3z"/>'),
  play: icon('<path d="m8 5 11 7-11 7z"/>'),
  pause: icon('<path d="M8.5 5v14M15.5 5v14"/>'),
  shuffle: icon('<path d="M3 7h3.5c5.5 0 5.5 10 11 10H21M3 17h3.5c1.7 0 2.9-1 3.8-2.3M14 9.3c.9-1.3 2-2.3 3.5-2.3H21M18 4l3 3-3 3M18 14l3 3-3 3"/>'),
  close: icon('<path d="M5 5l14 14M19 5 5 19"/>'),
  found: icon('<path d="M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4"/><rect x="9" y="9" width="6" height="6"/>'),
  why: icon('<circle cx="12" cy="12" r="3"/><path d="M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.1 2.1M16.3 16.3l2.1 2.1M5.6 18.4l2.1-2.1M16.3 7.7l2.1-2.1"/>'),
  full: icon('<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>'),
}

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function button(className, label, hint, drawn) {
  const made = element("button", className, { type: "button", "aria-label": label, title: hint ? `${label} (${hint})` : label })
  if (drawn) made.innerHTML = drawn
  else made.textContent = label
  return made
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high)
const percent = (share) => `${(share * 100).toFixed(2)}%`

class Frame {
  constructor(parentElement) {
    this.root = element("div", "viewer")
    this.stage = element("div", "stage", { tabindex: "-1" })
    this.canvas = element("div", "canvas")
    this.small = element("img", "small", { alt: "", draggable: "false" })
    this.area = element("div", "area", { tabindex: "0", role: "application", "aria-roledescription": "part of the picture" })
    this.area.hidden = true
    this.area.append(...["nw", "ne", "sw", "se"].map((corner) => element("span", `corner ${corner}`, { "data-corner": corner })))
    this.tiles = new Tiles(() => (this.notice.textContent = "Only its preview: its own pixels can't be read now."))
    this.heat = element("canvas", "heat", { role: "img" })
    this.heat.hidden = true
    this.found = element("span", "found", { role: "img", "aria-label": "Found by this part" })
    this.canvas.append(this.small, this.tiles.root, this.heat, this.found, this.area)
    this.gone = element("div", "gone", {}, "This picture is no longer where it was.")
    this.previous = button("go previous", "Previous picture", "Left", ICONS.previous)
    this.next = button("go next", "Next picture", "Right", ICONS.next)
    this.stage.append(this.canvas, this.gone, this.previous, this.next)

    this.position = element("span", "position")
    this.notice = element("span", "notice", { role: "status" })
    this.said = element("span", "said", { "aria-live": "polite" })
    this.out = button("tool step", "Smaller", "-", ICONS.out)
    this.in = button("tool step", "Larger", "+", ICONS.in)
    this.actual = button("tool", "Actual pixels", "1")
    this.actual.textContent = "1:1"
    this.full = button("tool", "Whole screen", "", ICONS.full)
    this.slides = button("tool", "Slideshow", "S", ICONS.slides)
    this.crop = element("button", "tool begin", { type: "button", title: "Draw a rectangle, and find pictures of what is in it" })
    this.crop.innerHTML = ICONS.part
    this.crop.append(element("span", "", {}, "Search in this picture"))
    this.why = element("button", "tool begin", { type: "button", "aria-pressed": "false", title: "Show where in the picture the words were found (W)" })
    this.why.innerHTML = ICONS.why
    this.why.append(element("span", "", {}, "Show why"))
    this.why.hidden = true
    this.outline = button("tool begin outline", "Outline the part that it was found by", "P", ICONS.found)
    this.take = button("take", "Search with this part", "Enter")
    this.leave = button("tool leave", "Cancel", "Esc")
    this.full.hidden = !document.fullscreenEnabled
    this.bar = element("div", "bar")
    this.bar.append(this.position, this.notice, this.said, this.out, this.in, this.actual, this.slides, this.full, this.outline, this.why, this.crop, this.leave, this.take)
    this.root.append(this.stage, this.bar)
    parentElement.append(this.root)

    this.pictures = []
    this.here = undefined // the picture that is shown
    this.awaited = undefined // the id that the server has still to follow to
    this.direction = 1
    this.pointers = new Map()
    this.box = undefined
    this.reset()
    this.listen()
  }

  reset() {
    this.scale = 1
    this.x = 0
    this.y = 0
    this.place()
  }

  // How wide the picture is where it fits: with its fraction of a pixel, which becomes many when it is scaled.
  fitWidth() {
    return parseFloat(getComputedStyle(this.canvas).width)
  }

  // The scale at which a pixel of the picture is one of the screen.
  actualScale() {
    return this.here.width / (this.fitWidth() * devicePixelRatio)
  }

  // From where it fits to where it can be read: as wide, or high, as there is room for, if it has the pixels.
  closer(point) {
    const { clientWidth, clientHeight } = this.stage
    const width = this.fitWidth()
    const filling = Math.max(clientWidth / width, (clientHeight * this.here.width) / (width * this.here.height))
    this.zoom(Math.max(2.5, Math.min(filling, this.actualScale())), point)
  }

  toActual() {
    const wasWhole = this.scale <= 1
    this.zoom(this.actualScale() / this.scale)
    if (wasWhole && this.here.width / this.here.height < TALL) this.pan(-Infinity, -Infinity)
  }

  // By parts of what is in view.
  pan(across, down) {
    if (across) this.x -= across * this.stage.clientWidth
    if (down) this.y -= down * this.stage.clientHeight
    this.place()
  }

  // Around a point of the screen, which stays where it is; the middle where none is given.
  zoom(by, point) {
    if (!this.here.small) return
    const stage = this.stage.getBoundingClientRect()
    const least = Math.min(1, this.actualScale())
    const scale = clamp(this.scale * by, least, Math.max(LARGEST, (2 * this.here.width) / this.fitWidth()))
    const dx = point ? point.clientX - stage.left - stage.width / 2 : 0
    const dy = point ? point.clientY - stage.top - stage.height / 2 : 0
    this.x = dx - ((dx - this.x) * scale) / this.scale
    this.y = dy - ((dy - this.y) * scale) / this.scale
    this.scale = scale
    this.place()
  }

  place() {
    this.root.classList.toggle("zoomed", this.scale > 1)
    if (!this.here?.small) return
    const limit = (side, whole) => Math.max(0, (side * this.scale - whole) / 2)
    const { clientWidth, clientHeight } = this.stage
    const width = this.fitWidth()
    const across = limit(width, clientWidth)
    const down = limit((width * this.here.height) / this.here.width, clientHeight)
    this.x = clamp(this.x, -across, across)
    this.y = clamp(this.y, -down, down)
    this.canvas.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`
    this.canvas.style.setProperty("--scale", this.scale)
    this.out.setAttribute("aria-disabled", String(this.scale <= Math.min(1, this.actualScale())))
    const { left, top } = this.canvas.getBoundingClientRect()
    this.tiles.place({ left, top, width, scale: this.scale, stage: this.stage.getBoundingClientRect() })
  }

  wheel(event) {
    const isIn = event.deltaY < 0
    // Where there is nothing to make smaller, or the dialog is scrolled down, the wheel scrolls as everywhere.
    const isScrolled = this.stage.getBoundingClientRect().top < 0
    if (!event.ctrlKey && this.scale <= 1 && (!isIn || isScrolled)) return
    event.preventDefault()
    this.zoom(Math.exp(-clamp(event.deltaY, -120, 120) / 400), event)
  }
}
