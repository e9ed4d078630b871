// Points as the server sends them, a grid index over them, and the camera.

function readPoints(buffer) {
  const head = new DataView(buffer)
  if (buffer.byteLength < 16 || String.fromCharCode(...new Uint8Array(buffer, 0, 4)) !== "SLPT" || head.getUint32(4, true) !== 1) {
    throw new Error("these are no points")
  }
  const count = head.getUint32(8, true)
  const points = {
    count,
    places: new Float32Array(buffer, 16, 2 * count),
    ids: new Uint32Array(buffer, 16 + 8 * count, count),
    categories: new Uint8Array(buffer, 16 + 12 * count, count),
    lit: new Uint8Array(count).fill(1),
  }
  return { ...points, net: netOf(points) }
}

function readLand(buffer) {
  const head = new DataView(buffer)
  const count = head.getUint16(0, true)
  let start = 2 + 2 * count
  return Array.from({ length: count }, (_, number) => {
    const corners = head.getUint16(2 + 2 * number, true)
    const ring = new Int16Array(buffer, start, 2 * corners)
    start += 4 * corners
    return ring
  })
}

// A grid index: points by cell, so that near ones are found without looking at all of them.
function netOf({ count, places }) {
  const low = [Infinity, Infinity]
  const high = [-Infinity, -Infinity]
  for (let i = 0; i < 2 * count; i++) {
    low[i & 1] = Math.min(low[i & 1], places[i])
    high[i & 1] = Math.max(high[i & 1], places[i])
  }
  const cells = Math.max(1, Math.min(1024, Math.round(Math.sqrt(count / 4))))
  const side = Math.max(high[0] - low[0], high[1] - low[1], 1e-9) / cells || 1
  const column = (x) => Math.max(0, Math.min(cells - 1, Math.floor((x - low[0]) / side)))
  const row = (y) => Math.max(0, Math.min(cells - 1, Math.floor((y - low[1]) / side)))
  const cell = (i) => row(places[2 * i + 1]) * cells + column(places[2 * i])
  const starts = new Uint32Array(cells * cells + 1)
  for (let i = 0; i < count; i++) starts[cell(i) + 1]++
  for (let i = 0; i < cells * cells; i++) starts[i + 1] += starts[i]
  const order = new Uint32Array(count)
  const next = starts.slice()
  for (let i = 0; i < count; i++) order[next[cell(i)]++] = i
  // Calls `take` for each point in a box; ends early when that says false.
  const within = (west, south, east, north, take) => {
    for (let r = row(south); r <= row(north); r++) {
      for (let k = starts[r * cells + column(west)]; k < starts[r * cells + column(east) + 1]; k++) {
        const i = order[k]
        const [x, y] = [places[2 * i], places[2 * i + 1]]
        if (x >= west && x <= east && y >= south && y <= north && take(i) === false) return
      }
    }
  }
  return { within }
}

function nearestTo(points, x, y, reach) {
  let found = -1
  let best = reach * reach
  points.net.within(x - reach, y - reach, x + reach, y + reach, (i) => {
    const away = (points.places[2 * i] - x) ** 2 + (points.places[2 * i + 1] - y) ** 2
    if (away <= best && points.lit[i]) [found, best] = [i, away]
  })
  return found
}

// The even-odd rule; Python decides by the same one, see lasso.py.
function isInside(polygon, x, y) {
  let odd = false
  for (let i = 0, last = polygon.length - 1; i < polygon.length; last = i++) {
    const [ax, ay] = polygon[last]
    const [bx, by] = polygon[i]
    if (ay > y !== by > y && x < (bx - ax) * ((y - ay) / (by - ay)) + ax) odd = !odd
  }
  return odd
}

function boxOf(polygon) {
  const [xs, ys] = [0, 1].map((axis) => polygon.map((corner) => corner[axis]))
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

// The view: its centre, and how many pixels one unit of the map is.
class Camera {
  constructor() {
    Object.assign(this, { x: 0, y: 0, scale: 0, width: 0, height: 0, reach: [1, 1] })
  }

  get whole() {
    const [across, up] = this.reach
    return 0.94 * Math.min(this.width / (2 * across), this.height / (2 * up))
  }

  get zoom() {
    return this.scale / this.whole
  }

  resize(width, height) {
    const zoom = this.wanted ?? (this.scale ? this.zoom : 1)
    Object.assign(this, { width, height, wanted: null })
    this.scale = this.whole * zoom
  }

  show(reach) {
    Object.assign(this, { x: 0, y: 0, reach })
    this.scale = this.whole
  }

  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, this.height / 2 - (y - this.y) * this.scale]
  }

  toMap(x, y) {
    return [(x - this.width / 2) / this.scale + this.x, (this.height / 2 - y) / this.scale + this.y]
  }

  get box() {
    const [west, north] = this.toMap(0, 0)
    const [east, south] = this.toMap(this.width, this.height)
    return [west, south, east, north]
  }

  pan(dx, dy) {
    const [across, up] = this.reach
    this.x = Math.max(-across, Math.min(across, this.x - dx / this.scale))
    this.y = Math.max(-up, Math.min(up, this.y + dy / this.scale))
  }

  // Before the size of the screen is known, this waits for it.
  zoomTo(zoom) {
    this.wanted = zoom
    if (this.width) this.scale = this.whole * zoom
  }

  // Around a place of the screen, which stays where it is.
  zoomBy(factor, x = this.width / 2, y = this.height / 2) {
    const [mx, my] = this.toMap(x, y)
    this.scale = Math.max(this.whole * 0.7, Math.min(this.whole * 4000, this.scale * factor))
    const [nx, ny] = this.toMap(x, y)
    this.x += mx - nx
    this.y += my - ny
    this.pan(0, 0)
  }
}
