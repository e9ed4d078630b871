// Pictures to search with: picked, dropped anywhere on the page, or pasted.

const PICTURE =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="5" width="18" height="14" rx="3"/>' +
  '<circle cx="8.5" cy="10" r="1.6"/><path d="m4 17 5-4 3 2.5 4-4.5 5 5"/></svg>'

const picturesOf = (transfer) =>
  [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/") || /\.(hei[cf]|avif|jp2)$/i.test(file.name))

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files")

const many = (count) => (count === 1 ? "1 picture" : `${count} pictures`)

async function upload(file, max_bytes) {
  if (file.size > max_bytes) return { error: `The picture is larger than ${max_bytes / 1e6} MB. Save it smaller.` }
  try {
    const answer = await fetch("/picture", { method: "POST", body: file })
    return await answer.json()
  } catch {
    return { error: "The picture did not reach the server. Is it still running?" }
  }
}

// Gives files to the server, and tells the page their names; `say` shows what becomes of them.
async function takePictures(files, { room, max_bytes }, say) {
  if (!files.length) return say("That is no picture. Drop or paste an image file.")
  if (!room) return say("No more pictures fit into this search. Take something out first.")
  const taken = files.slice(0, room)
  say(taken.length === 1 ? "Reading the picture…" : `Reading ${taken.length} pictures…`)
  const said = await Promise.all(taken.map((file) => upload(file, max_bytes)))
  const wrong = said.filter((each) => each.error).map((each) => each.error)
  const left = files.length - taken.length
  const lines = [...new Set(wrong)]
  if (wrong.length && taken.length > 1) lines.unshift(`${many(wrong.length)} could not be taken:`)
  if (left) lines.push(`A search takes ${many(room)} more: ${many(left)} of those you gave ${left === 1 ? "was" : "were"} left out.`)
  say(lines.join(" "))
  const pictures = said.filter((each) => each.name).map((each) => each.name)
  // What was typed and not sent yet is part of the question.
  if (pictures.length) tell({ pictures, ...draft() })
}

function picker(take) {
  const pick = button("pick", PICTURE, "Search with a picture")
  pick.append(element("span", "", {}, "Search with a picture"))
  pick.title = "Pick pictures, drop them anywhere on the page, or paste one"
  const input = element("input", "file", { type: "file", multiple: "", accept: "image/*,.heic,.heif,.avif,.jp2" })
  input.tabIndex = -1
  input.setAttribute("aria-label", "Pictures to search with")
  pick.onclick = () => input.click()
  input.onchange = () => {
    if (input.files.length) take([...input.files])
    input.value = "" // so that the same file can be picked again
  }
  return [pick, input]
}

// Listens on the whole page.
function listenForPictures(veil, take, signal) {
  const show = (shown) => veil.classList.toggle("shown", shown)
  const on = (name, listener) => document.addEventListener(name, listener, { signal })
  on("dragover", (event) => {
    if (!holdsFiles(event)) return
    event.preventDefault()
    show(true)
  })
  on("dragleave", (event) => event.relatedTarget || show(false))
  on("drop", (event) => {
    if (!holdsFiles(event)) return
    event.preventDefault()
    show(false)
    take(picturesOf(event.dataTransfer))
  })
  on("paste", (event) => {
    const files = picturesOf(event.clipboardData)
    if (!files.length) return // words go where the cursor is
    event.preventDefault()
    take(files)
  })
}
