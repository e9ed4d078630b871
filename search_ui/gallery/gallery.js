// The grid: sections of rows of even height, each picture in its own proportions, loaded as they come into view.

const svg = (paths) => `<svg viewBox="0 0 24 24" aria-hidden="true">${paths}</svg>`
const ACTIONS = [
  ["liked", "like", "More like this", svg('<circle cx="12" cy="12" r="9"/><path d="M12 8v8M8 12h8"/>')],
  ["disliked", "dislike", "Less like this", svg('<circle cx="12" cy="12" r="9"/><path d="M8 12h8"/>')],
]

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function actionsOf(tile) {
  return ACTIONS.map(([action, className, label, icon]) => {
    const button = element("button", className, { type: "button", "data-id": tile.id, "data-action": action, title: label })
    button.setAttribute("aria-label", `${label.replace(" this", "")} ${tile.name}`)
    button.setAttribute("aria-pressed", String(tile.asked === action))
    button.innerHTML = icon
    return button
  })
}

function tileOf(tile, small) {
  const figure = element("figure", "tile", { role: "listitem" })
  // Panoramas and strips keep their proportions inside a frame that still fits a row.
  const ratio = Math.min(Math.max(tile.ratio, 0.5), 3)
  figure.style.setProperty("--ratio", ratio.toFixed(4))

  const frame = element("div", "frame")
  const open = element("button", "open", { type: "button", "data-id": tile.id, "data-action": "opened", title: tile.title })
  open.append(element("img", "", { src: tile.src, alt: tile.name, loading: "lazy", decoding: "async" }))
  frame.append(open)
  const more = tile.folded === 1 ? "1 near-duplicate" : `${tile.folded} near-duplicates`
  if (tile.folded) frame.append(element("span", "badge", { role: "img", "aria-label": more, title: more }, `+${tile.folded}`))
  if (tile.favourite) frame.append(element("span", "star", { role: "img", "aria-label": "Favourite", title: "Favourite" }, "★"))
  if (!small) frame.append(...actionsOf(tile))

  const caption = element("figcaption", "caption")
  caption.append(element("span", "name", {}, tile.name))
  if (tile.score) caption.append(element("span", "score", {}, tile.score))
  figure.append(frame, caption)
  return figure
}

function sectionOf(section, small) {
  const made = element(section.fold ? "details" : "section", "section")
  if (section.fold) made.append(element("summary", "fold", {}, section.fold))
  if (section.title) made.append(element("h2", "title", {}, section.title))
  const grid = element("div", small ? "grid small" : "grid", { role: "list", "aria-label": section.title || "Pictures" })
  grid.append(...section.tiles.map((tile) => tileOf(tile, small)))
  made.append(grid)
  return made
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

const visibleTiles = (root) => [...root.querySelectorAll(".tile")].filter((tile) => tile.checkVisibility())

// Whoever goes by keyboard stays at the picture they were at, wherever it is now; where it is out of sight, at the one
// that took its place.
function redraw(root, data) {
  const focused = root.getRootNode().activeElement
  const { id, action } = focused?.matches("[data-action]:focus-visible") ? focused.dataset : {}
  const place = id ? visibleTiles(root).indexOf(focused.closest(".tile")) : -1
  root.replaceChildren(...data.sections.map((section) => sectionOf(section, data.small)))
  if (!id) return
  const same = root.querySelector(`[data-id="${id}"][data-action="${action}"]`)
  const tiles = visibleTiles(root)
  if (same?.checkVisibility()) same.focus()
  else tiles[Math.min(Math.max(place, 0), tiles.length - 1)]?.querySelector(".open").focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".sections")
  if (!root) {
    root = element("div", "sections")
    parentElement.append(root)
  }
  root.onclick = (event) => {
    const button = event.target.closest("button")
    if (button) setTriggerValue(button.dataset.action, Number(button.dataset.id))
  }
  root.onkeydown = (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return
    const from = event.target.closest(".tile")
    const tiles = visibleTiles(root)
    const next = from && neighbour(tiles, from, event.key)
    if (!next) return
    event.preventDefault()
    next.querySelector(".open").focus()
  }
  // Every click runs the script again; the pictures are only drawn anew when they changed.
  const signature = JSON.stringify(data.sections)
  if (root.signature !== signature) {
    root.signature = signature
    redraw(root, data)
  }
  root.unfolded = data.unfolded
  for (const details of root.querySelectorAll("details")) {
    details.open = data.unfolded
    // Also heard when the line above opens it: only a change that the page does not know of is news.
    details.ontoggle = () => {
      if (details.open === root.unfolded) return
      root.unfolded = details.open
      setTriggerValue("fold", details.open ? "open" : "closed")
    }
  }
}
