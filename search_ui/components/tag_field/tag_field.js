// A field for tags. What was typed becomes a tag with Enter, and when the field loses the focus.

// By key: Streamlit removes a component and makes it again where the page around it changes.
const memories = new Map()
const FRAMES = 30 // that the dialog may take to give the focus to something else
const WHILE = 10_000 // ms that they take at most

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

// Takes the focus as soon as it can be had, and again where a dialog that opens takes it away.
function takeFocus(input, frames = FRAMES) {
  const focused = input.getRootNode().activeElement
  if (focused !== input && !input.isLeft) input.focus()
  if (frames && !input.isLeft) requestAnimationFrame(() => takeFocus(input, frames - 1))
}

class TagField {
  constructor(parent, { key, label }) {
    if (!memories.has(key)) memories.set(key, { tags: [], text: "" })
    this.memory = memories.get(key)
    this.root = element("div", "tag-field")
    const name = element("label", "name", { for: "tag" }, label)
    this.list = element("ul", "tags", { "aria-label": "New tags" })
    this.input = element("input", "text", {
      id: "tag", type: "text", list: "known", placeholder: "Choose, or type a new one", autocomplete: "off", enterkeyhint: "done",
    }) // prettier-ignore
    this.known = element("datalist", "", { id: "known" })
    const box = element("div", "box")
    box.append(this.list, this.input)
    box.onclick = () => this.input.focus()
    this.root.append(name, box, this.known)
    parent.append(this.root)
    this.input.value = this.memory.text
    this.input.oninput = () => (this.memory.text = this.input.value)
    this.input.onkeydown = (event) => this.pressed(event)
    this.input.onchange = () => this.known.querySelector(`option[value="${CSS.escape(this.input.value)}"]`) && this.enter()
    // Whoever presses a key or a button elsewhere has left it; a dialog that opens has not.
    const leave = (event) => (this.input.isLeft ||= event.key === "Tab" || event.composedPath()[0] !== this.input)
    for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, leave, { signal: AbortSignal.timeout(WHILE), capture: true })
    this.input.onblur = () => this.input.isConnected && this.enter()
    this.draw()
    takeFocus(this.input)
  }

  pressed(event) {
    if (event.isComposing || event.keyCode === 229) return
    if (event.key === "Enter" && this.input.value.trim()) {
      event.preventDefault()
      this.enter()
    } else if (event.key === "Backspace" && !this.input.value && this.memory.tags.length) {
      this.change(this.memory.tags.slice(0, -1))
    }
  }

  enter() {
    const tag = this.input.value.trim()
    this.input.value = this.memory.text = ""
    if (tag && !this.memory.tags.includes(tag)) this.change([...this.memory.tags, tag])
  }

  change(tags) {
    this.memory.tags = tags
    this.draw()
    this.state("tags", tags)
  }

  draw() {
    const tagOf = (tag) => {
      const made = element("li", "tag", {}, tag)
      const close = element("button", "close", { type: "button", "aria-label": `Remove ${tag}`, title: "Remove" }, "×")
      close.onclick = () => this.change(this.memory.tags.filter((other) => other !== tag))
      made.append(close)
      return made
    }
    this.list.replaceChildren(...this.memory.tags.map(tagOf))
  }

  take(known) {
    const left = known.filter((name) => !this.memory.tags.includes(name))
    this.known.replaceChildren(...left.map((name) => element("option", "", { value: name })))
  }
}

export default function ({ data: [data], parentElement, setStateValue }) {
  const field = (parentElement.tagField ??= new TagField(parentElement, data))
  field.state = setStateValue
  field.take(data.known)
}
