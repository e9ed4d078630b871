// The file's own pixels over the preview: square tiles of the picture at 1 / scale of its size, for what is in view. Each
// level is laid out in its own pixels and scaled as a whole, so that at 100 % a pixel of the picture is one of the screen.

const TILE = 1024 // px of a side, as SIDE in sightline/media/tiles.py
const COARSEST = 64
const PACE = 100 // ms between looks at what is in view, while it moves
const AS_SHARP = 1.05 // a preview that has so nearly the resolution of the screen is not replaced

class Tiles {
  constructor(onFailure) {
    this.root = element("div", "tiles")
    this.onFailure = onFailure
    this.levels = [] // the last is the one that is wanted; one before it stays until that is there
  }

  // `picture.tiles` is the address that theirs begin with.
  show(picture) {
    this.clear()
    this.picture = picture
    this.preview = 0 // px, how wide what is below them is; nothing is asked for before that is there
    this.isFailing = false
  }

  clear() {
    clearTimeout(this.timer)
    this.timer = undefined
    this.levels.splice(0).forEach((level) => this.drop(level))
  }

  // `view`: where the picture is, in pixels of the page: the `left` and `top` of it, its `width` before it is scaled by
  // `scale`, and the rectangle `stage` of what can be seen.
  place(view) {
    this.view = view
    this.levels.forEach((level) => this.fit(level))
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.look()
    }, PACE)
  }

  fit(level) {
    const { left, top, width, scale } = this.view
    // On whole pixels of the screen: else all of them are blurred.
    const snap = (place) => (Math.round(place * devicePixelRatio) / devicePixelRatio - place) / scale
    const height = (width * this.picture.height) / this.picture.width
    level.layer.style.transform = `translate(${snap(left)}px, ${snap(top)}px) scale(${width / level.width}, ${height / level.height})`
  }

  look() {
    const { picture, view, preview } = this
    const onScreen = view.width * view.scale * devicePixelRatio
    let scale = 1
    while (scale < COARSEST && scale * 2 * onScreen <= picture.width) scale *= 2
    const width = this.sideOf(picture.width, scale)
    const isSharp = view.scale <= 1 || onScreen <= preview * AS_SHARP || width <= preview * AS_SHARP
    if (!picture.tiles || !preview || this.isFailing || isSharp) {
      this.levels.splice(0).forEach((level) => this.drop(level))
      return
    }
    if (this.levels.at(-1)?.scale !== scale) this.add(scale)
    this.load(this.levels.at(-1))
  }

  // As rounded_size in sightline/images/scaling.py.
  sideOf(side, scale) {
    return Math.floor((2 * side + scale) / (2 * scale))
  }

  add(scale) {
    // Of a level that is left while it loads, what has come stays; one before that goes.
    if (this.levels.length > 1) this.drop(this.levels.shift())
    const [width, height] = [this.picture.width, this.picture.height].map((side) => this.sideOf(side, scale))
    const level = { scale, width, height, layer: element("div", "level"), images: new Map() }
    this.levels.push(level)
    this.root.append(level.layer)
    this.fit(level)
  }

  load(level) {
    const { left, top, width, scale, stage } = this.view
    const zoom = (width * scale) / level.width // pixels of the page for one of the level
    const range = (from, to, side) => {
      const [first, end] = [Math.floor(from / zoom / TILE), Math.ceil(to / zoom / TILE)]
      return [Math.max(0, first), Math.min(Math.ceil(side / TILE), end)]
    }
    const [firstColumn, endColumn] = range(stage.left - left, stage.right - left, level.width)
    const [firstRow, endRow] = range(stage.top - top, stage.bottom - top, level.height)
    const wanted = []
    for (let row = firstRow; row < endRow; row++) for (let column = firstColumn; column < endColumn; column++) wanted.push([column, row])
    const far = ([column, row]) => Math.hypot(column - (firstColumn + endColumn - 1) / 2, row - (firstRow + endRow - 1) / 2)
    wanted.sort((one, other) => far(one) - far(other)) // the middle first
    for (const [key, image] of level.images) {
      const [column, row] = key.split("-").map(Number)
      // Those beside what is in view may come back; others are in the browser's cache.
      const isNear = column >= firstColumn - 1 && column <= endColumn && row >= firstRow - 1 && row <= endRow
      if (!isNear) this.forget(level, key, image)
    }
    for (const [column, row] of wanted) if (!level.images.has(`${column}-${row}`)) this.request(level, column, row)
    this.settle()
  }

  async request(level, column, row) {
    const key = `${column}-${row}`
    const image = element("img", "part", { alt: "", draggable: "false" })
    level.images.set(key, image)
    image.style.left = `${column * TILE}px`
    image.style.top = `${row * TILE}px`
    image.src = `${this.picture.tiles}/${level.scale}/${key}.jpg`
    const isThere = await image.decode().then(() => true, () => false)
    if (level.images.get(key) !== image) return
    if (isThere) {
      level.layer.append(image)
    } else {
      this.isFailing = true // it stays as sharp as it is, and is not asked for again and again
      this.forget(level, key, image)
      this.onFailure()
    }
    this.settle()
  }

  // The level before the last goes when that is there.
  settle() {
    const last = this.levels.at(-1)
    if (!last || [...last.images.values()].some((image) => !image.isConnected)) return
    this.levels.splice(0, this.levels.length - 1).forEach((level) => this.drop(level))
  }

  drop(level) {
    for (const [key, image] of level.images) this.forget(level, key, image)
    level.layer.remove()
  }

  forget(level, key, image) {
    level.images.delete(key)
    if (!image.isConnected) image.removeAttribute("src") // nobody waits for it any more
    image.remove()
  }
}
