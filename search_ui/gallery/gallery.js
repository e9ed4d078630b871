// The grid: rows of even height, each picture in its own proportions, loaded as they come into view.

const LIKE =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3.5" y="3.5" width="12" height="12" rx="2.5"/>' +
  '<path d="M8.5 20.5h9a3 3 0 0 0 3-3v-9"/></svg>'

function element(name, className, attributes = {}) {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

function tileOf(tile) {
  const figure = element("figure", "tile", { role: "listitem" })
  // Panoramas and strips keep their proportions inside a frame that still fits a row.
  const ratio = Math.min(Math.max(tile.ratio, 0.5), 3)
  figure.style.setProperty("--ratio", ratio.toFixed(4))

  const frame = element("div", "frame")
  const open = element("button", "open", { type: "button", "data-id": tile.id, title: tile.title })
  open.append(element("img", "", { src: tile.src, alt: tile.name, loading: "lazy", decoding: "async" }))
  const like = element("button", "like", { type: "button", "data-id": tile.id, title: "More like this" })
  like.setAttribute("aria-label", `More like ${tile.name}`)
  like.innerHTML = LIKE
  frame.append(open, like)

  const caption = element("figcaption", "caption")
  const name = element("span", "name")
  name.textContent = tile.name
  caption.append(name)
  if (tile.score) {
    const score = element("span", "score")
    score.textContent = tile.score
    caption.append(score)
  }
  figure.append(frame, caption)
  return figure
}

// The tile in the row above or below whose middle is nearest; left and right are simply the neighbours.
function neighbour(tiles, from, key) {
  const index = tiles.indexOf(from)
  if (key === "ArrowLeft") return tiles[index - 1]
  if (key === "ArrowRight") return tiles[index + 1]
  if (key === "Home") return tiles[0]
  if (key === "End") return tiles[tiles.length - 1]
  const here = from.getBoundingClientRect()
  const down = key === "ArrowDown"
  const others = tiles.map((tile) => [tile, tile.getBoundingClientRect()])
  const beyond = others.filter(([, box]) => (down ? box.top > here.bottom - 4 : box.bottom < here.top + 4))
  const row = down ? Math.min(...beyond.map(([, box]) => box.top)) : Math.max(...beyond.map(([, box]) => box.top))
  const middle = (box) => box.left + box.width / 2
  return beyond
    .filter(([, box]) => Math.abs(box.top - row) < 4)
    .sort(([, a], [, b]) => Math.abs(middle(a) - middle(here)) - Math.abs(middle(b) - middle(here)))[0]?.[0]
}

export default function ({ data, parentElement, setTriggerValue }) {
  let grid = parentElement.querySelector(".grid")
  if (!grid) {
    grid = element("div", "grid", { role: "list" })
    parentElement.append(grid)
  }
  grid.onclick = (event) => {
    const button = event.target.closest("button")
    if (button) setTriggerValue(button.className === "like" ? "liked" : "opened", Number(button.dataset.id))
  }
  grid.onkeydown = (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return
    const tiles = [...grid.querySelectorAll(".tile")]
    const next = neighbour(tiles, event.target.closest(".tile"), event.key)
    if (!next) return
    event.preventDefault()
    next.querySelector(".open").focus()
  }
  // Every click runs the script again; the pictures are only drawn anew when they changed.
  const signature = JSON.stringify(data.tiles)
  if (grid.signature !== signature) {
    grid.signature = signature
    grid.replaceChildren(...data.tiles.map(tileOf))
  }
}
