// The text of the box. It is the browser's until it is sent: what the page says never takes the place of what was typed
// since. What is sent is an event of the queue, and its number tells whether the page's text is an answer to it.

// One for all drawings: Streamlit removes the component and makes it again where the page around it changes.
// `known`: the text that the page gave, or was told of; `given`: the page's last one; `waiting`: the last event with text.
const memory = {
  input: null, pathname: "", focused: false, removed: 0, composing: false, known: "", given: "", version: null, waiting: 0,
  isLeaving: false,
} // prettier-ignore
let deliver = () => {}

const SEARCH = '<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/></svg>'
const CLEAR = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="m6 6 12 12M18 6 6 18"/></svg>'
const GAP = 2000 // ms that keys are kept for, after the component was removed: by then it was made again

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

function button(className, icon, name) {
  const made = element("button", className, { type: "button", "aria-label": name, title: name })
  made.innerHTML = icon
  return made
}

// Sends what was typed, or done to the query; an event says what is wanted, and may be applied twice.
function tell(event) {
  eventQueue.send(event, (events) => deliver(events))
  const told = event.text ?? event.draft
  if (told === undefined) return
  Object.assign(memory, { known: told, waiting: eventQueue.last })
}

const isTyped = () => memory.composing || memory.input.value !== memory.known

// What was typed and is not known to the page, for an event that is to include it.
const draft = () => (isTyped() ? { draft: memory.input.value } : {})

function put(text) {
  const { input } = memory
  memory.known = text
  if (input.value === text) return // the caret stays
  input.value = text
  input.dispatchEvent(new Event("input"))
}

// Takes what the page says: the events that it applied, and its text where nothing was typed since.
function takeText({ acknowledged, version, address }) {
  const text = address.q ?? ""
  const isRestarted = eventQueue.of !== null && eventQueue.of !== acknowledged.of
  const lost = isRestarted ? eventQueue.pending.filter((event) => !event.address) : []
  eventQueue.acknowledge(acknowledged)
  if (isRestarted) {
    // Another session: the server was started again, and knows of nothing that was typed.
    Object.assign(memory, { version: null, waiting: 0 })
    for (const { of, n, ...event } of lost) tell(event)
    if (!lost.length && memory.input.value !== memory.given) tell({ draft: memory.input.value })
  }
  const isNewer = memory.version === null || version > memory.version
  if (isNewer && !isTyped() && acknowledged.seen >= memory.waiting) put(text)
  Object.assign(memory, { version, given: text })
}

function boxOf(parent) {
  const box = element("div", "box", { role: "search" })
  box.innerHTML = SEARCH
  const input = element("input", "text", {
    type: "text", "aria-label": "Search", placeholder: "Describe a picture: two red boats, snow on a roof …",
    autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false", enterkeyhint: "search",
  }) // prettier-ignore
  const clear = button("clear", CLEAR, "Clear the search")
  box.append(input, clear)
  const changed = () => (clear.hidden = !input.value)
  input.oninput = changed
  input.oncompositionstart = () => (memory.composing = true)
  input.oncompositionend = () => (memory.composing = false)
  input.onkeydown = (event) => {
    // 229: an Enter that ends a composition, in browsers that end it before they tell of the key.
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229 || event.repeat) return
    event.preventDefault()
    tell({ text: input.value })
  }
  clear.onclick = () => {
    input.value = ""
    changed()
    tell({ text: "" })
    input.focus()
  }
  input.onfocus = () => (memory.focused = true)
  input.onblur = () => {
    // Also told of an input that is removed, which is to have the focus again.
    setTimeout(() => input.isConnected && input.getRootNode().activeElement !== input && (memory.focused = false), 0)
    // Not on the way to another page: Streamlit would run this one after it.
    if (input.isConnected && document.hasFocus() && isTyped() && !memory.isLeaving) tell(draft())
  }
  const before = memory.input
  Object.assign(memory, { input, pathname: location.pathname })
  parent.append(box)
  if (before) {
    input.value = before.value
    input.setSelectionRange(before.selectionStart, before.selectionEnd, before.selectionDirection)
  }
  changed()
  focusBox()
}

// Gives the box the focus, if nothing else has it.
function focusBox() {
  if (document.activeElement === document.body || !document.activeElement) memory.input?.focus()
}

// Before the box loses the focus to it.
function pressing(event) {
  memory.isLeaving = event.composedPath().some((node) => node.matches?.("a[href]"))
}

const isWriting = (event) =>
  Boolean(event.composedPath()[0]?.closest?.("input, textarea, select, [contenteditable]:not([contenteditable=false])"))

// Keys anywhere on the page: a slash leads to the box; and what is typed while it is removed and made again is kept.
function pressedAnywhere(event) {
  const { input, pathname, focused, removed } = memory
  if (!input || location.pathname !== pathname || isWriting(event) || document.querySelector('[role="dialog"]')) return
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return
  if (!input.isConnected && focused && performance.now() - removed < GAP && event.key.length === 1) {
    event.preventDefault()
    input.setRangeText(event.key, input.selectionStart, input.selectionEnd, "end")
  } else if (input.isConnected && event.key === "/") {
    event.preventDefault()
    input.focus()
    input.select()
  }
}
