// Upload of pictures: picked, dropped anywhere on the page, or pasted. The parts of the query as chips. And Back and
// Forward, which only the browser hears of.

const PICTURE =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="5" width="18" height="14" rx="3"/>' +
  '<circle cx="8.5" cy="10" r="1.6"/><path d="m4 17 5-4 3 2.5 4-4.5 5 5"/></svg>'

function element(name, className, text = "") {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
}

function build(parentElement) {
  const root = element("div", "query-input")
  const button = element("button", "pick")
  button.type = "button"
  button.innerHTML = PICTURE
  button.append(element("span", "", "Search with a picture"))
  button.title = "Pick pictures, drop them anywhere on the page, or paste one"
  const input = element("input", "file")
  input.type = "file"
  input.multiple = true
  input.accept = "image/*,.heic,.heif,.avif,.jp2"
  input.tabIndex = -1
  input.setAttribute("aria-label", "Pictures to search with")
  button.onclick = () => input.click()
  const chips = element("ul", "chips")
  chips.setAttribute("aria-label", "What was understood")
  const notice = element("div", "notice")
  notice.setAttribute("role", "status")
  const veil = element("div", "veil")
  veil.append(element("div", "target", "Drop pictures to search with them"))
  root.append(button, input, chips, notice, veil)
  parentElement.append(root)
  return root
}

function chipOf(chip, remove, crop) {
  const made = element("li", `chip ${chip.kind}`)
  for (const src of chip.pictures) {
    const image = element("img", "")
    image.src = src
    image.alt = ""
    made.append(image)
  }
  let label = element("span", "label", chip.label)
  if (chip.given) {
    label = element("button", "label", chip.label)
    label.type = "button"
    label.setAttribute("aria-label", `Choose a part of ${chip.label}`)
    label.onclick = () => crop(chip.given)
  }
  const close = element("button", "close", "×")
  close.type = "button"
  close.title = "Remove"
  close.setAttribute("aria-label", `Remove ${chip.label}`)
  close.onclick = () => remove(chip.part)
  // Text, not a title: it can be read without a mouse too.
  made.append(label, element("span", "meaning", chip.meaning), close)
  return made
}

// The search box is Streamlit's own; it has no option for the focus.
const searchBox = () => document.querySelector(".st-key-q input")

function focusSearch() {
  const box = searchBox()
  if (box && (document.activeElement === document.body || !document.activeElement)) box.focus()
}

const picturesOf = (transfer) =>
  [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/") || /\.(hei[cf]|avif|jp2)$/i.test(file.name))

const many = (count) => (count === 1 ? "1 picture" : `${count} pictures`)

async function put(file, max_bytes) {
  if (file.size > max_bytes) return { error: `The picture is larger than ${max_bytes / 1e6} MB. Save it smaller.` }
  try {
    const answer = await fetch("/picture", { method: "POST", body: file })
    return await answer.json()
  } catch {
    return { error: "The picture did not reach the server. Is it still running?" }
  }
}

// How far down the page goes is no step that Back takes: it replaces the URL of the present step.
function replaceUrl(address) {
  const now = new URLSearchParams(location.search)
  if (["q", "photo"].some((name) => (now.get(name) ?? "") !== (address[name] ?? ""))) return // another step, on its way
  if (["shown", "below"].every((name) => (now.get(name) ?? "") === (address[name] ?? ""))) return
  for (const name of ["shown", "below"]) address[name] ? now.set(name, address[name]) : now.delete(name)
  history.replaceState(history.state, "", `${location.pathname}${now.size ? "?" : ""}${now}`)
}

// Added once; the handlers change with every new `data`. So no event between two drawings is missed.
function listen(root) {
  root.handlers = {}
  root.listening = new AbortController()
  const { signal } = root.listening
  for (const name of ["dragover", "dragleave", "drop", "paste"]) {
    document.addEventListener(name, (event) => root.handlers[name]?.(event), { signal })
  }
  window.addEventListener("popstate", (event) => root.handlers.popstate?.(event), { capture: true, signal })
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let root = parentElement.querySelector(".query-input")
  if (!root) {
    root = build(parentElement)
    root.pathname = location.pathname
    listen(root)
    requestAnimationFrame(focusSearch)
  }
  const part = (name) => root.querySelector(`.${name}`)
  const say = (text) => (part("notice").textContent = text)

  async function take(files) {
    if (!files.length) return say("That is no picture. Drop or paste an image file.")
    if (!data.room) return say("No more pictures fit into this search. Take something out first.")
    // What was typed and not entered yet is part of the question: the box hands it over when it loses the focus.
    if (document.activeElement === searchBox()) {
      searchBox().blur()
      searchBox().focus()
    }
    const taken = files.slice(0, data.room)
    say(taken.length === 1 ? "Reading the picture…" : `Reading ${taken.length} pictures…`)
    const said = await Promise.all(taken.map((file) => put(file, data.max_bytes)))
    const wrong = said.filter((each) => each.error).map((each) => each.error)
    const left = files.length - taken.length
    const lines = [...new Set(wrong)]
    if (wrong.length && taken.length > 1) lines.unshift(`${many(wrong.length)} could not be taken:`)
    if (left) lines.push(`A search takes ${many(data.room)} more: ${many(left)} of those you gave ${left === 1 ? "was" : "were"} left out.`)
    say(lines.join(" "))
    const names = said.filter((each) => each.name).map((each) => each.name)
    // All since the last drawing: of two values in quick succession the page gets only the second.
    root.given.push(...names)
    if (names.length) setTriggerValue("pictures", [...root.given])
  }

  const input = part("file")
  input.onchange = () => {
    if (input.files.length) take([...input.files])
    input.value = "" // so that the same file can be picked again
  }

  // At the root, replaced by each run: chips that did not change were made by an earlier run.
  root.removePart = (text) => {
    say("")
    const there = data.chips.filter((chip) => chip.part === text).length
    const before = root.removed.get(text) ?? there
    root.removed.set(text, Math.max(0, before - 1))
    setTriggerValue("removed", [...root.removed])
  }
  root.cropPicture = (name) => setTriggerValue("crop", name)
  const chips = part("chips")
  const signature = JSON.stringify(data.chips)
  if (chips.signature !== signature) {
    root.removed = new Map()
    root.given = []
    // A chip that was closed by keyboard hands the focus to the one that takes its place.
    const place = [...chips.children].findIndex((chip) => chip.contains(chips.getRootNode().activeElement))
    chips.signature = signature
    chips.replaceChildren(
      ...data.chips.map((chip) => chipOf(chip, (text) => root.removePart(text), (name) => root.cropPicture(name))),
    )
    const next = chips.children[Math.min(place, chips.children.length - 1)]
    if (place >= 0) (next?.querySelector(".close") ?? part("pick"))?.focus()
  }

  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files")
  const veil = (shown) => part("veil").classList.toggle("shown", shown)
  const listeners = {
    dragover: (event) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      veil(true)
    },
    dragleave: (event) => {
      if (!event.relatedTarget) veil(false)
    },
    drop: (event) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      veil(false)
      take(picturesOf(event.dataTransfer))
    },
    paste: (event) => {
      const files = picturesOf(event.clipboardData)
      if (!files.length) return // words go where the cursor is
      event.preventDefault()
      take(files)
    },
  }
  // Streamlit listens too, and not every browser lets that be prevented: it then runs the page without the components'
  // values, and our event ends that run. So the event is a state: a trigger would find no handler. Other pages are left
  // to Streamlit. See docs/internals/streamlit.md.
  eventQueue.acknowledge(data.acknowledged)
  root.setState = setStateValue
  const popstate = (event) => {
    if (location.pathname !== root.pathname) return
    event.stopImmediatePropagation()
    window.dispatchEvent(new Event("sightline-moved")) // an open picture is closed at once: viewer/closing.js
    const { search } = location
    const address = Object.fromEntries(new URLSearchParams(search))
    // Sent again only while the URL is still the same: another query may have been made meanwhile.
    eventQueue.send({ address }, (changes) => location.search === search && root.setState("moved", changes))
  }
  root.handlers = { ...listeners, popstate }
  replaceUrl(data.address)
  if (data.redirect && data.redirect !== root.redirect) location.assign(data.redirect)
  root.redirect = data.redirect
  // Streamlit also calls this for a drawing that a newer one replaced, while the component stays.
  return () => setTimeout(() => root.isConnected || root.listening.abort(), 0)
}
