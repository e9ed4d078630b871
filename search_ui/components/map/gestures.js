// What mouse, fingers and keys do to the map: pan, zoom, point at, select.

const CLICK = 5 // pixels that a click may move

class Gestures {
  key(event) {
    const steps = { ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80] }
    const tools = { "+": "in", "=": "in", "-": "out", _: "out", 0: "whole", l: "lasso" }
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (steps[event.key]) this.camera.pan(...steps[event.key])
    else if (tools[event.key]) this.use(tools[event.key])
    else if (event.key === "Escape" && (this.polygon || this.drawing)) this.choose((this.drawing = null))
    else return
    event.preventDefault()
    this.dirty()
  }

  listen() {
    const { canvas } = this
    const place = (event) => {
      const box = canvas.getBoundingClientRect()
      return [event.clientX - box.left, event.clientY - box.top]
    }
    canvas.onpointerdown = (event) => {
      if (event.button > 0) return
      canvas.setPointerCapture(event.pointerId)
      const at = place(event)
      this.fingers.set(event.pointerId, at)
      this.pressed = this.fingers.size === 1 ? at : null
      this.drawing = this.fingers.size === 1 && (this.isLasso || event.shiftKey) ? [this.camera.toMap(...at)] : null
      if (this.drawing) this.choose(null)
      this.hover(-1)
    }
    canvas.onpointermove = (event) => {
      const at = place(event)
      const last = this.fingers.get(event.pointerId)
      if (!last) {
        if (event.pointerType === "mouse") this.hover(this.under(...at), ...at)
        return
      }
      this.fingers.set(event.pointerId, at)
      if (this.pressed && Math.hypot(at[0] - this.pressed[0], at[1] - this.pressed[1]) < CLICK) return
      this.pressed = null
      if (this.drawing) this.drawing.push(this.camera.toMap(...at))
      else if (this.fingers.size === 1) this.camera.pan(at[0] - last[0], at[1] - last[1])
      else this.pinch(event.pointerId, last, at)
      this.dirty()
    }
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      const isClick = this.pressed && event.type === "pointerup"
      this.fingers.delete(event.pointerId)
      const drawn = this.drawing
      this.drawing = null
      this.pressed = null
      if (isClick) {
        const found = this.under(...place(event))
        if (found >= 0) this.trigger("opened", this.points.ids[found])
      } else if (drawn && event.type === "pointerup") {
        this.choose(thinned(drawn))
      }
      this.dirty()
    }
    canvas.onpointerleave = () => this.hover(-1)
    // Also over what lies on the map, such as a button that comes under the pointer while one zooms in.
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault() // or the page would scroll away
      const lines = event.deltaMode ? 24 : 1
      this.camera.zoomBy(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), ...place(event))
      this.hover(-1)
      this.dirty()
    }, { passive: false })
    canvas.onkeydown = (event) => this.key(event)
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault())
    canvas.addEventListener("webglcontextrestored", () => {
      this.drawer = drawer(canvas)
      if (this.points) this.drawer.points(this.points)
      this.dirty()
    })
    this.resized = new ResizeObserver(() => this.dirty())
    this.resized.observe(this.stage)
    this.theme = matchMedia("(prefers-color-scheme: dark)")
    this.themed = () => setTimeout(() => this.dirty(), 200) // after Streamlit has put its own colours on
    this.theme.addEventListener("change", this.themed)
    // Streamlit misses some changes of the URL by Back and Forward (docs/internals/streamlit.md). The view is kept.
    const path = location.pathname
    this.went = () => location.pathname === path && location.reload()
    window.addEventListener("popstate", this.went)
  }

  pinch(id, last, at) {
    const other = [...this.fingers].find(([each]) => each !== id)[1]
    const away = ([x, y]) => Math.max(8, Math.hypot(x - other[0], y - other[1]))
    this.camera.pan((at[0] - last[0]) / 2, (at[1] - last[1]) / 2)
    this.camera.zoomBy(away(at) / away(last), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2)
  }

  // The point at a place of the screen, or whose picture is there; -1 for none.
  under(x, y) {
    if (!this.points) return -1
    for (const [i, image] of [...this.thumbs].reverse()) {
      const [px, py] = this.camera.toScreen(this.points.places[2 * i], this.points.places[2 * i + 1])
      if (Math.abs(px - x) * 2 < image.offsetWidth && Math.abs(py - y) * 2 < image.offsetHeight) return i
    }
    return nearestTo(this.points, ...this.camera.toMap(x, y), Math.max(6, this.size / 2 + 2) / this.camera.scale)
  }

  async hover(found, x = 0, y = 0) {
    this.stage.classList.toggle("pointing", found >= 0)
    if (found < 0) {
      this.hovered = -1
      this.card.classList.remove("shown")
      return
    }
    const [width, height] = [this.camera.width, this.camera.height]
    this.card.style.left = `${Math.min(x + 16, width - 204)}px`
    this.card.style.top = y < height / 2 ? `${y + 16}px` : ""
    this.card.style.bottom = y < height / 2 ? "" : `${height - y + 16}px`
    if (found === this.hovered) return
    this.hovered = found
    const id = this.points.ids[found]
    // Only where the pointer rests: on its way over the map it passes hundreds.
    await new Promise((done) => setTimeout(done, this.facts.has(id) ? 0 : 70))
    if (this.hovered !== found) return
    if (!this.facts.has(id)) this.facts.set(id, fetch(`/points/picture/${id}`).then((answer) => (answer.ok ? answer.json() : null), () => null))
    const facts = await this.facts.get(id)
    if (this.hovered !== found || !facts) return
    const group = this.data.legend.find((entry) => entry.number === this.points.categories[found])?.name
    const image = make("img", "", { alt: "", src: `/thumb/${facts.hash}.jpg` })
    let more = -1
    const [px, py] = [this.points.places[2 * found], this.points.places[2 * found + 1]]
    const reach = this.size / 4 / this.camera.scale
    this.points.net.within(px - reach, py - reach, px + reach, py + reach, () => {
      more++
    })
    const others = more > 0 && !this.thumbs.has(found) ? `${NUMBER.format(more)} more here` : ""
    const about = [facts.date, facts.place, group, others].filter(Boolean).join(" · ")
    this.card.replaceChildren(image, make("div", "title", {}, facts.name), make("div", "about", {}, about))
    this.card.classList.add("shown")
  }
}

// A drawn line has more corners than are needed.
function thinned(polygon) {
  const step = Math.ceil(polygon.length / 300)
  return polygon.filter((_, at) => at % step === 0)
}
