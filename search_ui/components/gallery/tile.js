// One picture of the grid: its frame, its buttons, and what is known of it. Names are set as text, never as markup.

const svg = (paths) => `<svg viewBox="0 0 24 24" aria-hidden="true">${paths}</svg>`
const RING = '<circle cx="12" cy="12" r="9"/>'
const STAR = svg('<path d="m12 3.6 2.6 5.3 5.8.8-4.2 4.1 1 5.8-5.2-2.7-5.2 2.7 1-5.8-4.2-4.1 5.8-.8z"/>')
// Class, which is also the action; what a screen reader says before the name; what pointing at it tells; the picture.
const BUTTONS = [
  ["tick", "Select", "Select (Space)", svg(`${RING}<path d="m8 12.2 2.8 2.8L16 9.6"/>`)],
  ["star", "Favourite", "Favourite (F)", STAR],
  ["like", "More like", "More like this (L)", svg(`${RING}<path d="M12 8v8M8 12h8"/>`)],
  ["dislike", "Less like", "Less like this (D)", svg(`${RING}<path d="M8 12h8"/>`)],
]
const DONE = { star: "favourites", like: "liked", dislike: "disliked" }

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function set(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value)
}

function write(target, text) {
  if (target.textContent !== text) target.textContent = text
}

// Copied for each picture, by the buttons there are: to make one anew takes five times as long.
const patterns = new Map()

// `actions`: which of the buttons there are.
function tileOf(actions) {
  const key = actions.join()
  if (!patterns.has(key)) patterns.set(key, patternOf(actions))
  const tile = patterns.get(key).cloneNode(true)
  const image = tile.querySelector("img")
  image.onload = () => tile.classList.add("loaded")
  image.onerror = () => tile.classList.add("failed")
  return tile
}

function patternOf(actions) {
  const tile = element("div", "tile", { role: "listitem" })
  const frame = element("div", "frame")
  const open = element("button", "open", { type: "button", tabindex: "-1", "data-action": "opened" })
  const image = element("img", "", { loading: "lazy", decoding: "async", draggable: "false" })
  const caption = element("span", "caption")
  caption.append(element("span", "name"))
  open.append(image, caption)
  frame.append(open)
  for (const [action, , title, icon] of BUTTONS.filter(([action]) => actions.includes(action))) {
    // The keys do what these do, so that the grid is one stop of the Tab key and not one for each of them.
    const button = element("button", action, { type: "button", tabindex: "-1", title, "data-action": action })
    if (action === "tick") button.setAttribute("role", "checkbox")
    button.innerHTML = icon
    frame.append(button)
  }
  tile.append(frame)
  return tile
}

function fill(tile, picture, place, count) {
  set(tile, "aria-posinset", String(place + 1))
  set(tile, "aria-setsize", String(count))
  if (tile.picture === picture) return
  tile.picture = picture
  const part = (name) => tile.querySelector(name)
  const image = part("img")
  part(".frame").style.backgroundColor = picture.colour
  part(".frame").classList.toggle("long", isLong(picture.ratio))
  part(".frame").classList.toggle("tall", picture.ratio < 1)
  write(part(".name"), picture.name)
  set(part(".open"), "title", picture.title)
  set(part(".open"), "aria-label", picture.name || "Picture")
  set(image, "alt", picture.name)
  if (picture.src && image.getAttribute("src") !== picture.src) {
    tile.classList.remove("loaded", "failed")
    image.src = picture.src
    tile.classList.toggle("loaded", image.complete && image.naturalWidth > 0)
  }
  for (const button of tile.querySelectorAll("button")) set(button, "data-id", String(picture.id))
  for (const [action, label] of BUTTONS) {
    const button = part(`button.${action}`)
    if (button) set(button, "aria-label", `${label} ${picture.name}`)
  }
  outline(tile, picture)
  part(".badge")?.remove()
  if (picture.folded) {
    const more = picture.folded === 1 ? "1 near-duplicate" : `${picture.folded} near-duplicates`
    part(".frame").append(element("span", "badge", { role: "img", "aria-label": more, title: more }, `+${picture.folded}`))
  }
}

// The part of a picture that it was found by. Of a long one the grid shows a part only.
function outline(tile, { box, ratio }) {
  tile.querySelector(".part")?.remove()
  if (!box || isLong(ratio)) return
  const part = element("span", "part", { role: "img", "aria-label": "Found by this part" })
  const sides = ["left", "top", "width", "height"]
  for (const [at, side] of sides.entries()) part.style[side] = `${100 * box[at]}%`
  tile.querySelector(".frame").append(part)
}

// What changes while the picture stays: whether it is a favourite, asked for, selected, and the grid's stop of Tab.
function mark(tile, marks, isSelected, isCurrent) {
  const { id } = tile.picture
  for (const [action, name] of Object.entries(DONE)) {
    const button = tile.querySelector(`button.${action}`)
    if (button) set(button, "aria-pressed", String(marks[name].has(id)))
  }
  const tick = tile.querySelector(".tick")
  if (tick) set(tick, "aria-checked", String(isSelected))
  if (tile.classList.contains("selected") !== isSelected) tile.classList.toggle("selected", isSelected)
  const open = tile.querySelector(".open")
  set(open, "tabindex", isCurrent ? "0" : "-1")
  if (isSelected) set(open, "aria-description", "Selected")
  else open.removeAttribute("aria-description")
  // Where favourites can't be changed they are still shown.
  if (tile.querySelector("button.star")) return
  const star = tile.querySelector("span.star")
  if (star && !marks.favourites.has(id)) star.remove()
  if (star || !marks.favourites.has(id)) return
  const shown = element("span", "star", { role: "img", "aria-label": "Favourite", title: "Favourite" })
  shown.innerHTML = STAR
  tile.querySelector(".frame").append(shown)
}

// A picture that goes out of sight before it came is not waited for.
function dismissed(tile) {
  const image = tile.querySelector("img")
  if (!image.complete) image.removeAttribute("src")
  tile.remove()
}
