// Groups of versions side by side: to look at large, one in the place of the other, and to mark for removal.

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function placeOf(place, root) {
  const item = element("li", "place")
  item.classList.toggle("kept", place.is_kept)
  if (place.is_kept) item.append(element("span", "keep", {}, "keep"))
  item.append(element("span", place.differs ? "where differs" : "where", { title: place.path }, place.where))
  if (place.note) item.append(element("span", "note", {}, place.note))
  if (root.readonly) {
    if (place.is_aside) item.append(element("span", "aside", {}, "marked for removal"))
    return item
  }
  const label = element("label", "aside")
  const box = element("input", "", { type: "checkbox", role: "switch", "data-photo": place.id, "aria-label": `Mark for removal: ${place.path}` })
  box.checked = place.is_aside
  label.append(box, element("span", "", { "aria-hidden": "true" }, "For removal"))
  item.append(label)
  return item
}

function pictureOf(picture, at, card, root) {
  const figure = element("figure", "picture")
  figure.classList.toggle("kept", picture.places.some((place) => place.is_kept))
  figure.classList.toggle("gone", picture.places.every((place) => place.is_aside))
  const look = element("button", "look", { type: "button", "data-look": `${card.number}-${at}`, "aria-label": `Look at ${picture.name}` })
  const image = element("img", "", { src: picture.src, alt: "", loading: "lazy", decoding: "async" })
  image.style.setProperty("--ratio", Math.min(Math.max(picture.ratio, 0.4), 3))
  look.append(image)
  const caption = element("figcaption", "")
  caption.append(element("p", "name", { title: picture.name }, picture.name))
  const facts = element("ul", "facts")
  for (const fact of picture.facts) {
    const item = element("li", "", {}, fact.text)
    for (const said of fact.differs) item.append(" ", element("em", "", {}, said))
    facts.append(item)
  }
  const places = element("ul", "places")
  places.append(...picture.places.map((place) => placeOf(place, root)))
  caption.append(facts, places)
  if (picture.more) caption.append(element("p", "more", {}, picture.more))
  figure.append(look, caption)
  return figure
}

function cardOf(card, root) {
  const made = element("section", "card", { "aria-labelledby": `group-${card.number}` })
  const head = element("header", "")
  head.append(element("h2", "", { id: `group-${card.number}` }, card.title))
  if (!root.readonly && card.rest) {
    const all = element("button", "rest", { type: "button", "data-group": card.kept }, "Mark the rest for removal")
    all.setAttribute("aria-label", `Mark the rest for removal in group ${card.number}`)
    head.append(all)
  }
  made.append(head)
  if (card.keep) made.append(element("p", "why", {}, card.keep))
  if (card.lost) made.append(element("p", "lost", { role: "alert" }, card.lost))
  const pictures = element("div", card.pictures.length === 1 ? "pictures single" : "pictures")
  pictures.append(...card.pictures.map((picture, at) => pictureOf(picture, at, card, root)))
  made.append(pictures)
  if (card.more) made.append(element("p", "more", {}, card.more))
  return made
}

// Pending clicks are shown as if they were applied.
function expected(card, changes) {
  const made = structuredClone(card)
  for (const change of changes) {
    for (const place of made.pictures.flatMap((picture) => picture.places)) {
      if (change.photo === place.id) place.is_aside = change.yes
      if (change.group === card.kept && place.is_rest) place.is_aside = true
    }
  }
  return made
}

// The keyboard's focus stays where it was.
function refocus(root, focused) {
  for (const name of ["photo", "group", "look"]) {
    const value = focused?.dataset?.[name]
    if (value) root.querySelector(`[data-${name}="${value}"]`)?.focus()
  }
}

function redraw(root) {
  const focused = root.getRootNode().activeElement
  const drawn = root.drawn
  root.drawn = new Map()
  const made = root.cards.map((card) => {
    const now = expected(card, eventQueue.pending)
    const signature = JSON.stringify([now, root.readonly])
    const before = drawn.get(card.number)
    const each = before?.signature === signature ? before : { signature, node: cardOf(now, root) }
    root.drawn.set(card.number, each)
    return each.node
  })
  if (made.length !== root.list.children.length || made.some((node, at) => node !== root.list.children[at])) {
    root.list.replaceChildren(...made)
    refocus(root, focused)
  }
}

function change(root, what) {
  eventQueue.send(what, (changes) => root.setState("changed", changes))
  redraw(root)
}

// -- looking at one in the place of the other -------------------------------------------------------------------------

function lookAt(root, number, at) {
  const card = root.cards.find((card) => card.number === number)
  if (!card) return
  const place = (at + card.pictures.length) % card.pictures.length
  const picture = card.pictures[place]
  const { dialog } = root
  Object.assign(dialog.dataset, { number, at: place })
  const image = dialog.querySelector("img")
  image.onerror = () => {
    image.onerror = null
    image.src = picture.src
  }
  image.src = picture.large
  image.alt = picture.name
  const facts = picture.facts.map((fact) => [fact.text, fact.differs.join(", ")].filter(Boolean).join(": ")).join(" · ")
  const keep = picture.places.some((each) => each.is_kept) ? "keep · " : ""
  dialog.querySelector(".of").textContent = `${place + 1} of ${card.pictures.length} · ${keep}${picture.name}`
  dialog.querySelector(".about").textContent = facts
  for (const step of dialog.querySelectorAll("[data-step]")) step.hidden = card.pictures.length < 2
  // The next one is there at once: what differs is seen when nothing else moves.
  for (const other of card.pictures.slice(0, 6)) new Image().src = other.large
  if (!dialog.open) dialog.showModal()
}

function dialogOf(root) {
  const dialog = element("dialog", "large", { "aria-label": "The pictures of a group, one in the place of the other" })
  const bar = element("div", "bar")
  const text = element("div", "text", { "aria-live": "polite" })
  text.append(element("p", "of"), element("p", "about"))
  bar.append(
    text,
    element("button", "step", { type: "button", "data-step": -1, "aria-label": "Previous" }, "‹"),
    element("button", "step", { type: "button", "data-step": 1, "aria-label": "Next" }, "›"),
    element("button", "step", { type: "button", "data-close": "", "aria-label": "Close" }, "×"),
  )
  dialog.append(element("img", "", { alt: "" }), bar)
  const step = (by) => lookAt(root, Number(dialog.dataset.number), Number(dialog.dataset.at) + by)
  dialog.onclick = (event) => {
    const by = event.target.closest("[data-step]")?.dataset.step
    if (by) step(Number(by))
    else if (event.target === dialog || event.target.closest("[data-close]")) dialog.close()
  }
  dialog.onkeydown = (event) => {
    if (event.key === "ArrowLeft") step(-1)
    else if (event.key === "ArrowRight") step(1)
  }
  return dialog
}

export default function ({ data: [data], parentElement, setStateValue }) {
  let root = parentElement.querySelector(".groups")
  if (!root) {
    root = element("div", "groups")
    root.list = element("div", "list")
    root.dialog = dialogOf(root)
    root.append(root.list, root.dialog)
    parentElement.append(root)
    root.drawn = new Map()
  }
  Object.assign(root, { cards: data.cards, readonly: data.readonly, setState: setStateValue })
  eventQueue.acknowledge(data.acknowledged)
  root.list.onclick = (event) => {
    const button = event.target.closest("button")
    if (button?.dataset.group) change(root, { group: Number(button.dataset.group) })
    else if (button) lookAt(root, ...button.dataset.look.split("-").map(Number))
  }
  root.list.onchange = (event) => change(root, { photo: Number(event.target.dataset.photo), yes: event.target.checked })
  redraw(root)
}
