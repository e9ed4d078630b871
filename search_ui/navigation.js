// The bar with the pages, and what Streamlit must know before it starts. Runs before Streamlit's own script.

// Else it looks for its server below the address of the page too, as in /library/_stcore/health, which is a 404.
window.__streamlit = { BACKEND_BASE_URL: `${location.origin}/` }

const bar = document.getElementById("pages")
const here = (path) => path.replace(/\/+$/, "") || "/"

function showCurrent() {
  for (const link of bar.querySelectorAll("a")) {
    if (here(link.pathname) === here(location.pathname)) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
  }
}

// A press goes to Streamlit's own link to the page, which keeps the session. Before it is there the browser loads the page.
bar.addEventListener("click", (event) => {
  const link = event.target.closest("a")
  if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  const links = [...document.querySelectorAll(".st-key-pages a:not([disabled])")]
  const own = links[[...bar.querySelectorAll("a")].indexOf(link)]
  if (!own) return
  event.preventDefault()
  if (event.detail) link.blur() // pressed by a pointer: keys go to the page, and on Search to its box
  own.click()
  document.querySelector(".stMain")?.scrollTo(0, 0)
})

// Also where the server leads from one page to another.
for (const name of ["pushState", "replaceState"]) {
  const change = history[name]
  history[name] = function (...given) {
    change.apply(this, given)
    showCurrent()
  }
}
addEventListener("popstate", showCurrent)
showCurrent()

// The theme that was chosen for the page is that of the bar, and of what the browser draws itself.
function followTheme(app) {
  const follow = () => (document.documentElement.style.colorScheme = getComputedStyle(app).colorScheme)
  new MutationObserver(follow).observe(app, { attributeFilter: ["class"] })
  follow()
}

// Streamlit says in a dialog that the server is away, and asks for the internet. It would take the keys from who is
// typing, so it is closed at once, and a line says what is so until the server is there again.
const away = document.getElementById("away")
const AWAY = "Sightline does not answer. Once it is started again this page goes on, with what you have typed."
let typedInto = null
addEventListener("focusin", (event) => {
  if (!event.target.closest?.(".stDialog")) typedInto = event.composedPath()[0]
})
function followConnection(app) {
  const isThere = () => app.dataset.testConnectionState === "CONNECTED"
  new MutationObserver(() => isThere() && (away.textContent = "")).observe(app, { attributeFilter: ["data-test-connection-state"] })
  new MutationObserver((changes) => {
    if (isThere()) return
    for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (node.querySelector?.("h2[slot=title]")?.textContent === "Connection error") closeError(node)
    }
  }).observe(document.body, { childList: true })
}
function closeError(dialog) {
  const field = typedInto
  away.textContent = AWAY
  dialog.style.display = "none"
  const listening = new AbortController()
  addEventListener("keydown", (event) => typeInto(field, event), { capture: true, signal: listening.signal })
  dialog.querySelector("button[aria-label=Close]").click()
  // What is behind a dialog is inert until it is gone.
  new MutationObserver((_, waiting) => {
    if (dialog.isConnected) return
    waiting.disconnect()
    setTimeout(() => {
      if (field?.isConnected) field.focus()
      listening.abort()
    }, 0)
  }).observe(document.body, { childList: true })
}
// What is typed while a field can't have the focus.
function typeInto(field, event) {
  if (!field?.isConnected || !field.setRangeText || event.composedPath()[0] === field) return
  if (event.key.length !== 1 || event.ctrlKey || event.altKey || event.metaKey) return
  event.preventDefault()
  event.stopImmediatePropagation()
  field.setRangeText(event.key, field.selectionStart, field.selectionEnd, "end")
  field.dispatchEvent(new Event("input", { bubbles: true }))
}
new MutationObserver((_, waiting) => {
  const app = document.querySelector(".stApp")
  if (!app) return
  waiting.disconnect()
  followTheme(app)
  followConnection(app)
}).observe(document.getElementById("root"), { childList: true, subtree: true })
