// On a narrow screen the panel is a sheet over the page: a dialog, which keeps the focus until it is closed.

const NARROW = matchMedia("(max-width: 900px)")

function deepest(place) {
  const active = place.activeElement
  return active?.shadowRoot ? deepest(active.shadowRoot) : active
}

function frameOf(root) {
  return (root.getRootNode().host ?? root).closest(".st-key-beside")?.parentElement
}

function makeSheet(root, close) {
  const opener = deepest(document)
  const head = element("div", "head")
  const shut = element("button", "shut", { type: "button", "aria-label": "Close the filters" }, "✕")
  head.append(element("h2", "heading", {}, "Filters"), shut)
  const foot = element("div", "foot")
  const done = element("button", "done", { type: "button" }, "Show pictures")
  foot.append(done)
  root.prepend(head)
  root.append(foot)

  const leave = () => {
    root.leftAt = performance.now()
    frameOf(root)?.setAttribute("hidden", "")
    close()
    if (opener?.isConnected) opener.focus()
  }
  shut.onclick = done.onclick = leave
  root.addEventListener("keydown", (event) => {
    if (!NARROW.matches) return
    if (event.key === "Escape") {
      event.preventDefault()
      event.stopPropagation()
      leave()
    } else if (event.key === "Tab") {
      const all = [...root.querySelectorAll("button, [tabindex]")].filter((each) => each.tabIndex >= 0 && each.checkVisibility())
      const [first, last] = [all[0], all.at(-1)]
      if (root.getRootNode().activeElement !== (event.shiftKey ? first : last)) return
      event.preventDefault()
      ;(event.shiftKey ? last : first).focus()
    }
  })
  const suit = () => {
    root.setAttribute("role", NARROW.matches ? "dialog" : "region")
    if (NARROW.matches) root.setAttribute("aria-modal", "true")
    else root.removeAttribute("aria-modal")
  }
  NARROW.addEventListener("change", suit)
  suit()
  if (NARROW.matches) shut.focus()
}

// Streamlit may use the same place for the panel when it is opened again.
function showSheet(root) {
  if (!(performance.now() - root.leftAt < 2_000)) frameOf(root)?.removeAttribute("hidden")
}
