// The search box, pictures to search with, and Back and Forward, which only the browser hears of.

// How far down the page goes is no step that Back takes: it replaces the URL of the present step.
function replaceUrl(address) {
  const now = new URLSearchParams(location.search)
  if (["q", "photo"].some((name) => (now.get(name) ?? "") !== (address[name] ?? ""))) return // another step, on its way
  if (["shown", "below"].every((name) => (now.get(name) ?? "") === (address[name] ?? ""))) return
  for (const name of ["shown", "below"]) address[name] ? now.set(name, address[name]) : now.delete(name)
  history.replaceState(history.state, "", `${location.pathname}${now.size ? "?" : ""}${now}`)
}

// Streamlit listens too, and not every browser lets that be prevented: it then runs the page without the components'
// values, and our event ends that run. So the event is a state: a trigger would find no handler. Other pages are left
// to Streamlit. See docs/internals/streamlit.md.
function moved(event, pathname) {
  if (location.pathname !== pathname) return
  event.stopImmediatePropagation()
  window.dispatchEvent(new Event("sightline-moved")) // an open picture is closed at once: viewer/closing.js
  tell({ address: Object.fromEntries(new URLSearchParams(location.search)), at: location.search })
}

function build(parent) {
  const root = element("div", "query-input")
  const row = element("div", "row")
  const notice = element("div", "notice", { role: "status" })
  const veil = element("div", "veil")
  veil.append(element("div", "target", {}, "Drop pictures to search with them"))
  const say = (text) => (notice.textContent = text)
  const take = (files) => takePictures(files, root.data, say)
  root.append(row, notice, veil)
  parent.append(root)
  root.listening = new AbortController()
  const { signal } = root.listening
  const { pathname } = location
  boxOf(row)
  row.append(...picker(take))
  listenForPictures(veil, take, signal)
  window.addEventListener("popstate", (event) => moved(event, pathname), { capture: true, signal })
  return root
}

document.addEventListener("keydown", pressedAnywhere)
document.addEventListener("pointerdown", pressing, { capture: true })
window.addEventListener("sightline-box", focusBox)

export default function ({ data: [data], parentElement, setStateValue }) {
  const root = parentElement.querySelector(".query-input") ?? build(parentElement)
  root.data = data
  deliver = (events) => {
    if (!root.isConnected) return // another page
    // Where Back led to is sent again only while the URL is still the same: another query may have been made meanwhile.
    const valid = events.filter(({ at }) => at === undefined || at === location.search)
    if (valid.length) setStateValue("sent", valid)
  }
  takeText(data)
  replaceUrl(data.address)
  if (data.redirect && data.redirect !== root.redirect) location.assign(data.redirect)
  root.redirect = data.redirect
  // Streamlit also calls this for a drawing that a newer one replaced, while the component stays.
  return () => {
    memory.removed = performance.now()
    setTimeout(() => root.isConnected || root.listening.abort(), 0)
  }
}
