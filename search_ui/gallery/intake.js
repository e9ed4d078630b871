// Where a picture comes in: picked, dropped anywhere on the page, or pasted. And the parts that the query was
// understood to have.

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
  const root = element("div", "intake")
  const button = element("button", "pick")
  button.type = "button"
  button.innerHTML = PICTURE
  button.append(element("span", "", "Search with a picture"))
  button.title = "Pick a picture, drop one anywhere on the page, or paste one"
  const input = element("input", "file")
  input.type = "file"
  input.accept = "image/*,.heic,.heif,.avif,.jp2"
  input.tabIndex = -1
  input.setAttribute("aria-label", "Picture to search with")
  button.onclick = () => input.click()
  const chips = element("ul", "chips")
  chips.setAttribute("aria-label", "What was understood")
  const notice = element("div", "notice")
  notice.setAttribute("role", "status")
  const veil = element("div", "veil")
  veil.append(element("div", "target", "Drop a picture to search with it"))
  root.append(button, input, chips, notice, veil)
  parentElement.append(root)
  return root
}

function chipOf(chip, remove) {
  const made = element("li", `chip ${chip.kind}`)
  for (const src of chip.pictures) {
    const image = element("img", "")
    image.src = src
    image.alt = ""
    made.append(image)
  }
  const close = element("button", "close", "×")
  close.type = "button"
  close.title = "Remove"
  close.setAttribute("aria-label", `Remove ${chip.label}`)
  close.onclick = () => remove(chip.part)
  // Text, not a title: it can be read without a mouse too.
  made.append(element("span", "label", chip.label), element("span", "meaning", chip.meaning), close)
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

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".intake")
  if (!root) {
    root = build(parentElement)
    requestAnimationFrame(focusSearch)
  }
  const part = (name) => root.querySelector(`.${name}`)
  const say = (text) => (part("notice").textContent = text)

  async function take(files) {
    const file = files[0]
    if (!file) return say("That is no picture. Drop or paste an image file.")
    if (file.size > data.max_bytes) return say(`The picture is larger than ${data.max_bytes / 1e6} MB. Save it smaller.`)
    // What was typed and not entered yet is part of the question: the box hands it over when it loses the focus.
    if (document.activeElement === searchBox()) {
      searchBox().blur()
      searchBox().focus()
    }
    say("Reading the picture…")
    try {
      const answer = await fetch("/picture", { method: "POST", body: file })
      const said = await answer.json()
      say(said.error ?? "")
      if (said.name) setTriggerValue("picture", said.name)
    } catch {
      say("The picture did not reach the server. Is it still running?")
    }
  }

  const input = part("file")
  input.onchange = () => {
    if (input.files.length) take([...input.files])
    input.value = "" // so that the same file can be picked again
  }

  // At the root, where each run puts its own: chips that did not change are those of an earlier run.
  root.removePart = (part) => {
    say("")
    setTriggerValue("removed", part)
  }
  const chips = part("chips")
  const signature = JSON.stringify(data.chips)
  if (chips.signature !== signature) {
    // A chip that was closed by keyboard hands the focus to the one that takes its place.
    const place = [...chips.children].findIndex((chip) => chip.contains(chips.getRootNode().activeElement))
    chips.signature = signature
    chips.replaceChildren(...data.chips.map((chip) => chipOf(chip, (part) => root.removePart(part))))
    const next = chips.children[Math.min(place, chips.children.length - 1)]
    if (place >= 0) (next?.querySelector("button") ?? part("pick"))?.focus()
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
  // This function runs again with every new `data`: the listeners of the run before go first.
  root.listening?.abort()
  root.listening = new AbortController()
  for (const [name, listener] of Object.entries(listeners)) {
    document.addEventListener(name, listener, { signal: root.listening.signal })
  }
  // Streamlit changes the address without loading, and does not hear when Back changes it.
  window.addEventListener("popstate", () => location.reload(), { signal: root.listening.signal })
  return () => root.listening.abort()
}
