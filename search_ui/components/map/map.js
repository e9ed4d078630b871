// The component of the map: data, names, thumbnails, selection and tools.

const THUMBS = 90 // thumbnails are drawn on the points when at most so many are in view
const THUMB = 76 // pixels, the longer side
const NUMBER = new Intl.NumberFormat("en")
const TOOLS = [
  ["in", "Zoom in", "M12 6v12M6 12h12"],
  ["out", "Zoom out", "M6 12h12"],
  ["whole", "Show everything", "M5 9V5h4M15 5h4v4M19 15v4h-4M9 19H5v-4"],
  ["lasso", "Draw around pictures to select them", "M12 4.5c4.7 0 8 2.3 8 5.3s-3.3 5.2-8 5.2-8-2.2-8-5.2 3.3-5.3 8-5.3ZM7.5 14.5c-1.5 1-1.3 3 .5 3s2.2 1.5 1 3"],
]

function make(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

const pictures = (count) => `${NUMBER.format(count)} picture${count === 1 ? "" : "s"}`

class PointsMap extends Gestures {
  constructor(parent) {
    super()
    Object.assign(this, { camera: new Camera(), points: null, land: null, data: null, polygon: null, drawing: null })
    Object.assign(this, { hovered: -1, only: -1, isLasso: false, fingers: new Map(), facts: new Map(), thumbs: new Map() })
    this.root = make("div", "map")
    this.stage = make("div", "stage")
    this.ground = make("canvas", "ground", { "aria-hidden": "true" })
    this.canvas = make("canvas", "points", { tabindex: "0", role: "application" })
    this.pictures = make("div", "pictures", { "aria-hidden": "true" })
    this.names = make("div", "names", { "aria-hidden": "true" })
    this.line = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    this.line.setAttribute("class", "line")
    this.line.setAttribute("aria-hidden", "true")
    this.line.innerHTML = "<polygon points=''></polygon>"
    this.card = make("div", "card", { "aria-hidden": "true" })
    this.tools = make("div", "tools", { role: "group", "aria-label": "The map" })
    this.bar = make("div", "bar")
    this.status = make("div", "status", { role: "status" })
    this.legend = make("ul", "legend", { "aria-label": "What the colours mean" })
    for (const [name, title, path] of TOOLS) {
      const button = make("button", name, { type: "button", title, "aria-label": title })
      button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`
      button.onclick = () => this.use(name)
      this.tools.append(button)
    }
    this.tools.lastChild.setAttribute("aria-pressed", "false")
    this.stage.append(this.ground, this.canvas, this.pictures, this.names, this.line, this.card, this.tools, this.bar)
    this.root.append(this.stage, this.status, this.legend)
    parent.append(this.root)
    this.drawer = drawer(this.canvas)
    this.listen()
  }

  // -- what it shows -------------------------------------------------------------------------------------------

  update(data, trigger) {
    const before = this.data ?? {}
    Object.assign(this, { data, trigger })
    this.canvas.setAttribute("aria-label", `${data.about} Arrow keys move it, plus and minus zoom, 0 shows everything.`)
    const view = JSON.stringify([data.view, data.reach])
    if (this.view !== view) {
      this.view = view
      this.choose(null)
      this.camera.show(data.reach)
      this.recall()
    }
    if (before.src !== data.src) this.load(data)
    if (data.land && !this.land) this.loadLand(data.land)
    const signature = JSON.stringify([data.legend, data.names, data.quiet])
    if (this.signature === signature) return
    this.signature = signature
    this.only = -1
    this.legend.replaceChildren(...data.legend.map((entry) => this.entry(entry)))
    this.names.replaceChildren(...data.names.map((name) => make("span", "name", {}, name.name)))
    this.sizes = null
    this.dirty()
  }

  // The view is kept: Back from a picture leads to the map as it was left.
  recall() {
    try {
      const [view, x, y, zoom] = JSON.parse(sessionStorage.getItem("sightline-map") ?? "[]")
      if (view !== this.view) return
      Object.assign(this.camera, { x, y })
      this.camera.zoomTo(zoom)
    } catch {} // a browser may keep nothing
  }

  remember() {
    const { x, y, zoom } = this.camera
    try {
      sessionStorage.setItem("sightline-map", JSON.stringify([this.view, x, y, zoom]))
    } catch {} // then the map begins anew
  }

  async load({ src }) {
    try {
      const answer = await fetch(src)
      if (!answer.ok) throw new Error(answer.status)
      const points = readPoints(await answer.arrayBuffer())
      if (src !== this.data.src) return
      this.points = points
      this.hover(-1)
      this.drawer.points(points)
      this.choose(this.polygon)
      this.stage.dataset.points = points.count // tells tests that the points are there
    } catch {
      if (src === this.data.src) this.status.textContent = "The points could not be loaded. Reload the page."
    }
  }

  async loadLand(address) {
    try {
      const answer = await fetch(address)
      this.land = readLand(await answer.arrayBuffer())
      this.dirty()
    } catch {
      this.land = null // points on a plain net of degrees are still a map
    }
  }

  entry({ number, name, count, light, dark }) {
    const item = make("li", "")
    const open = make("button", "entry", { type: "button", title: `Open the ${pictures(count)} of ${name}` })
    const swatch = make("span", "swatch", { "aria-hidden": "true" })
    swatch.style.setProperty("--light", light)
    swatch.style.setProperty("--dark", dark)
    open.append(swatch, make("span", "", {}, name), make("span", "count", {}, NUMBER.format(count)))
    open.setAttribute("aria-label", `Open the pictures of ${name}, ${NUMBER.format(count)}`)
    open.onclick = () => this.trigger("chosen", { category: number })
    const alone = (yes) => {
      this.only = yes ? number : -1
      this.dirty()
    }
    open.onpointerenter = open.onfocus = () => alone(true)
    open.onpointerleave = open.onblur = () => alone(false)
    item.append(open)
    return item
  }

  colours() {
    const style = getComputedStyle(this.root)
    const probe = (this.probe ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true }))
    const rgb = (name, fallback) => {
      probe.fillStyle = fallback
      probe.fillStyle = style.getPropertyValue(name).trim() || fallback
      probe.fillRect(0, 0, 1, 1)
      return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)]
    }
    const ground = rgb("--st-background-color", "#fff")
    const isDark = ground[0] + ground[1] + ground[2] < 384
    this.root.classList.toggle("dark", isDark)
    const palette = new Uint8Array(1024)
    const put = (at, colour) => {
      probe.fillStyle = colour
      probe.fillRect(0, 0, 1, 1)
      palette.set(probe.getImageData(0, 0, 1, 1).data, 4 * at)
    }
    put(255, this.data.quiet[isDark ? 1 : 0])
    for (let at = 0; at < 255; at++) palette.copyWithin(4 * at, 1020, 1024)
    for (const { number, light, dark } of this.data.legend) put(number, isDark ? dark : light)
    const land = isDark
      ? { sea: "#181d1c", land: "#2a312f", coast: "#4a5451", net: "rgb(255 255 255 / 9%)" }
      : { sea: "#f3f5f5", land: "#e1e5e1", coast: "#b3bab5", net: "rgb(0 0 0 / 9%)" }
    return { ground, palette, land }
  }

  // -- drawing -------------------------------------------------------------------------------------------------

  dirty() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null
      this.frame()
    })
  }

  frame() {
    const { camera, points, data, stage } = this
    const [width, height] = [stage.clientWidth, stage.clientHeight]
    if (!width || !data) return
    const ratio = Math.min(window.devicePixelRatio || 1, 2)
    if (camera.width !== width || camera.height !== height || this.ratio !== ratio) {
      this.ratio = ratio
      for (const canvas of [this.ground, this.canvas]) {
        canvas.width = Math.round(width * ratio)
        canvas.height = Math.round(height * ratio)
      }
      camera.resize(width, height)
      this.line.setAttribute("viewBox", `0 0 ${width} ${height}`)
    }
    const colours = this.colours()
    this.palette = colours.palette
    drawLand(this.ground, data.land && this.land, camera, { width, height, ratio, colours: colours.land })
    const count = points?.count ?? 0
    const base = Math.max(2.4, Math.min(11, 0.3 * Math.sqrt((width * height) / Math.max(count, 1))))
    this.size = Math.min(15, base * camera.zoom ** 0.4)
    const how = { camera, ratio, palette: colours.palette, ground: colours.ground, size: this.size, only: this.only }
    this.drawer.draw({ ...how, count, width, height })
    const around = this.polygon ?? this.drawing
    const corners = (around ?? []).map(([x, y]) => camera.toScreen(x, y).map((at) => at.toFixed(1)).join())
    this.line.firstChild.setAttribute("points", corners.join(" "))
    this.placeNames()
    this.soon ??= setTimeout(() => {
      this.soon = null
      this.remember()
      this.look()
    }, 60)
    this.placePictures()
  }

  placeNames() {
    const spans = [...this.names.children]
    this.sizes ??= spans.map((span) => [span.offsetWidth, span.offsetHeight])
    const taken = []
    spans.forEach((span, at) => {
      const [x, y] = this.camera.toScreen(this.data.names[at].x, this.data.names[at].y)
      const [width, height] = this.sizes[at]
      const box = [x - width / 2 - 4, y - height / 2 - 2, x + width / 2 + 4, y + height / 2 + 2]
      const isOut = box[0] < 0 || box[1] < 0 || box[2] > this.camera.width || box[3] > this.camera.height
      const hides = taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])
      span.style.visibility = isOut || hides ? "hidden" : "visible"
      span.style.transform = `translate(${(x - width / 2).toFixed(1)}px, ${(y - height / 2).toFixed(1)}px)`
      if (!isOut && !hides) taken.push(box)
    })
  }

  // Which pictures are in view: what can be opened together, and drawn where they are few.
  look() {
    if (!this.points) return
    const seen = []
    this.inView = 0
    this.points.net.within(...this.camera.box, (i) => {
      if (this.inView++ < THUMBS) seen.push(i)
    })
    this.showBar()
    const wanted = this.inView <= THUMBS && !this.drawing ? this.roomy(seen) : []
    for (const [i, image] of this.thumbs) {
      if (wanted.includes(i)) continue
      image.remove()
      this.thumbs.delete(i)
    }
    for (const i of wanted) {
      if (this.thumbs.has(i)) continue
      const image = make("img", "", { alt: "", src: `/api/v1/photos/${this.points.ids[i]}/thumbnail`, decoding: "async" })
      image.onerror = () => image.remove()
      const at = 4 * this.points.categories[i]
      image.style.borderColor = `rgb(${this.palette.slice(at, at + 3).join(" ")})`
      this.thumbs.set(i, image)
      this.pictures.append(image)
    }
    this.placePictures()
  }

  // Of some points those whose thumbnails do not overlap; the ones that are shown already first.
  roomy(seen) {
    const order = [...seen.filter((i) => this.thumbs.has(i)), ...seen.filter((i) => !this.thumbs.has(i))]
    const taken = []
    return order.filter((i) => {
      if (!this.points.lit[i]) return false
      const [x, y] = this.camera.toScreen(this.points.places[2 * i], this.points.places[2 * i + 1])
      if (taken.some(([ox, oy]) => Math.abs(ox - x) < THUMB + 4 && Math.abs(oy - y) < THUMB - 8)) return false
      taken.push([x, y])
      return true
    })
  }

  placePictures() {
    for (const [i, image] of this.thumbs) {
      const [x, y] = this.camera.toScreen(this.points.places[2 * i], this.points.places[2 * i + 1])
      image.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -50%)`
    }
  }

  // -- selection -----------------------------------------------------------------------------------------------

  // Select what is inside a polygon of the map; null clears the selection.
  choose(polygon) {
    this.polygon = polygon
    this.chosen = 0
    if (this.points) {
      const { lit, places } = this.points
      lit.fill(polygon ? 0 : 1)
      if (polygon) {
        this.points.net.within(...boxOf(polygon), (i) => {
          if (isInside(polygon, places[2 * i], places[2 * i + 1])) this.chosen += lit[i] = 1
        })
      }
      this.drawer.lit(lit)
      this.status.textContent = polygon ? `${pictures(this.chosen)} chosen` : ""
    }
    this.showBar()
    this.dirty()
  }

  showBar() {
    const count = this.polygon ? this.chosen : (this.inView ?? 0)
    const shown = this.polygon || (count && this.points && this.camera.zoom > 1.01) ? count : -1
    const said = `${shown} ${Boolean(this.polygon)}`
    if (this.bar.said === said) return
    this.bar.said = said
    this.bar.replaceChildren()
    if (shown < 0) return
    if (count) {
      const what = this.polygon ? `Open ${NUMBER.format(count)} in Search` : `Open the ${NUMBER.format(count)} in view`
      const open = make("button", "go", { type: "button" }, what)
      open.onclick = () => this.trigger("chosen", { polygon: this.polygon ?? this.viewed() })
      this.bar.append(open)
    } else {
      this.bar.append(make("span", "none", {}, "No pictures there"))
    }
    if (!this.polygon) return
    const clear = make("button", "clear", { type: "button", "aria-label": "Clear selection", title: "Clear selection" }, "×")
    clear.onclick = () => {
      this.choose(null)
      this.canvas.focus()
    }
    this.bar.append(clear)
  }

  viewed() {
    const [west, south, east, north] = this.camera.box
    return [[west, south], [east, south], [east, north], [west, north]]
  }

  // -- tools ---------------------------------------------------------------------------------------------------

  use(tool) {
    if (tool === "lasso") {
      this.isLasso = !this.isLasso
      this.tools.lastChild.setAttribute("aria-pressed", String(this.isLasso))
      this.stage.classList.toggle("choosing", this.isLasso)
      return
    }
    if (tool === "whole") this.camera.show(this.data.reach)
    else this.camera.zoomBy(tool === "in" ? 1.6 : 1 / 1.6)
    this.hover(-1)
    this.dirty()
  }

  free() {
    this.resized.disconnect()
    this.theme.removeEventListener("change", this.themed)
    window.removeEventListener("popstate", this.went)
    this.drawer.free() // a page may hold 16 of them
    this.root.remove()
  }
}

export default function ({ data: [data], parentElement, setTriggerValue }) {
  parentElement.map ??= new PointsMap(parentElement)
  parentElement.map.update(data, setTriggerValue)
  // Streamlit also calls this for a drawing that a newer one replaced, while the component stays.
  return () =>
    setTimeout(() => {
      if (!parentElement.map || parentElement.map.root.isConnected) return
      parentElement.map.free()
      parentElement.map = null
    }, 0)
}
