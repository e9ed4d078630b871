// Two rankings side by side. The picture that is pointed at is marked wherever else it stands.

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function tileOf(tile) {
  const item = element("li", "")
  const link = element("a", "tile", { href: tile.href, target: "_self", "data-id": tile.id, title: tile.name })
  link.setAttribute("aria-label", `${tile.rank}, ${tile.meaning}: ${tile.name}`)
  const line = element("span", "line")
  line.append(element("b", "", {}, String(tile.rank)), element("span", `change ${tile.way}`, {}, tile.change))
  const frame = element("span", "frame")
  frame.append(element("img", "", { src: tile.src, alt: "", loading: "lazy", decoding: "async" }))
  link.append(frame, line)
  item.append(link)
  return item
}

function sideOf(side, at) {
  const made = element("section", "side", { "aria-labelledby": `side-${at}` })
  made.append(element("h2", "", { id: `side-${at}` }, side.title))
  if (side.about) made.append(element("p", "about", {}, side.about))
  if (side.problem) made.append(element("p", "problem", { role: "alert" }, side.problem))
  const list = element("ol", "tiles")
  list.append(...side.tiles.map(tileOf))
  made.append(list)
  return made
}

function mark(root, link, yes) {
  if (!link) return
  for (const each of root.querySelectorAll(`[data-id="${link.dataset.id}"]`)) each.classList.toggle("marked", yes)
}

export default function ({ data: [data], parentElement }) {
  let root = parentElement.querySelector(".sides")
  if (!root) {
    root = element("div", "sides")
    for (const [begin, end] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
      root.addEventListener(begin, (event) => mark(root, event.target.closest(".tile"), true))
      root.addEventListener(end, (event) => mark(root, event.target.closest(".tile"), false))
    }
    parentElement.append(root)
  }
  const signature = JSON.stringify(data.sides)
  if (root.signature === signature) return
  root.signature = signature
  root.replaceChildren(...data.sides.map(sideOf))
}
