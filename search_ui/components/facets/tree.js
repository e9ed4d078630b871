// The folders, as a tree: what is not in the data is asked of the server when it is opened.

const STEP = 50 // folders that "more" adds at least

function treeOf(root) {
  root.tree ??= { levels: new Map(), open: new Set(), closed: new Set(), chosen: "", at: "", focus: null }
  return root.tree
}

// New data: what was opened and loaded stays, and is asked for again where its numbers may have changed.
function takeTree(root, data) {
  const tree = treeOf(root)
  const chosen = JSON.stringify([data.on, data.off])
  for (const path of data.open) {
    if (chosen !== tree.chosen && [...data.on, ...data.off].some((each) => each.startsWith(`${path}/`))) tree.closed.delete(path)
    if (!tree.closed.has(path)) tree.open.add(path)
  }
  const isSame = tree.at === data.at
  for (const [path, [total, folders]] of Object.entries(data.levels)) {
    const known = tree.levels.get(path)
    if (isSame && known && known.folders.length > folders.length) {
      known.folders.push(...folders.filter(([each]) => !known.folders.some(([path]) => path === each)))
      continue
    }
    tree.levels.set(path, { total, folders, wanted: known?.wanted ?? 0 })
  }
  Object.assign(tree, { chosen, at: data.at })
  if (isSame) return
  for (const [path, level] of tree.levels) {
    if (path in data.levels && level.folders.length >= level.wanted) continue
    if (path === "" || tree.open.has(path)) loadLevel(root, path, Math.max(level.wanted, level.folders.length))
    else tree.levels.delete(path)
  }
}

async function loadLevel(root, path, limit) {
  const { at } = root.tree
  const query = root.data.groups.find((group) => group.tree).tree.query
  const answer = await fetch(`/api/v1/folders?${new URLSearchParams({ q: query, under: path, limit })}`)
  if (!answer.ok || root.tree.at !== at) return // of a search before this one
  const { total, folders } = await answer.json()
  const rows = folders.map((each) => [each.path, each.count, each.folders, each.filter])
  root.tree.levels.set(path, { total, folders: rows, wanted: limit })
  draw(root)
}

function openFolder(root, path, isOpen) {
  const { open, closed, levels } = root.tree
  for (const [one, other] of [isOpen ? [open, closed] : [closed, open]]) {
    one.add(path)
    other.delete(path)
  }
  if (isOpen && !levels.has(path)) loadLevel(root, path, STEP)
  draw(root)
}

function moreFolders(root, path) {
  const level = root.tree.levels.get(path)
  loadLevel(root, path, Math.min(level.folders.length < STEP ? STEP : level.folders.length * 2, 10_000))
}

// The rows that are seen, from above: folders, and "more" at the end of a level that has more.
function rowsOf(tree, under = "", depth = 1) {
  const level = tree.levels.get(under)
  if (!level) return []
  const rows = level.folders.flatMap(([path, count, inside, text], place) => {
    const isOpen = inside > 0 && tree.open.has(path)
    const row = { path, count, inside, text, depth, place: place + 1, total: level.total, isOpen }
    return isOpen ? [row, ...rowsOf(tree, path, depth + 1)] : [row]
  })
  const left = level.total - level.folders.length
  return left > 0 ? [...rows, { path: `${under}/`, more: under, left, depth, place: level.folders.length + 1, total: level.total }] : rows
}

function rowElement(root, row, data) {
  const made = element("div", "value folder", { role: "treeitem", "data-path": row.path, "aria-level": row.depth })
  made.setAttribute("aria-setsize", row.total)
  made.setAttribute("aria-posinset", row.place)
  made.style.setProperty("--depth", row.depth - 1)
  made.tabIndex = -1
  if (row.more !== undefined) {
    made.classList.add("rest")
    made.append(element("span", "twist"), element("span", "label", {}, `${number(row.left)} more`))
    made.setAttribute("aria-label", `${number(row.left)} more folders`)
    made.onclick = () => moreFolders(root, row.more)
    return made
  }
  const name = row.path.slice(row.path.lastIndexOf("/") + 1)
  const isOff = data.off.includes(row.path)
  const isOn = data.on.includes(row.path)
  made.classList.toggle("off", isOff)
  made.setAttribute("aria-selected", isOn)
  made.setAttribute("aria-label", `${name}, ${isOff ? "left out" : pictures(row.count)}`)
  made.title = isOff ? `Left out: ${name}. Press to leave it out no longer.` : row.path
  if (row.text === null) made.setAttribute("aria-disabled", true)
  else made.dataset.text = row.text
  let twist = element("span", "twist")
  if (row.inside > 0) {
    made.setAttribute("aria-expanded", row.isOpen)
    twist = element("button", "twist", { type: "button", tabindex: -1 })
    twist.setAttribute("aria-label", row.isOpen ? `Hide the folders in ${name}` : `Show the folders in ${name}`)
    twist.onclick = (event) => {
      event.stopPropagation()
      openFolder(root, row.path, !row.isOpen)
    }
  }
  made.append(twist, element("span", "label", {}, name), element("span", "count", {}, number(row.count)))
  made.onclick = () => row.text !== null && root.chooseValue({ text: row.text, on: isOn, off: isOff })
  return made
}

function drawTree(root, data, title) {
  const { tree } = root
  const rows = rowsOf(tree)
  const made = element("div", "values tree", { role: "tree", "aria-label": title, "aria-multiselectable": true })
  made.append(...rows.map((row) => rowElement(root, row, data)))
  const place = Math.max(0, rows.findIndex((row) => row.path === tree.focus))
  made.children[place].tabIndex = 0
  made.onfocusin = (event) => {
    const item = event.target.closest("[role=treeitem]")
    for (const each of made.querySelectorAll("[role=treeitem][tabindex='0']")) each.tabIndex = -1
    item.tabIndex = 0
    tree.focus = item.dataset.path
  }
  made.onkeydown = (event) => {
    const at = [...made.children].indexOf(event.target.closest("[role=treeitem]"))
    const row = rows[at]
    const go = (to) => made.children[Math.min(Math.max(to, 0), rows.length - 1)].focus()
    const above = () => rows.findLastIndex((each, other) => other < at && each.depth < row.depth)
    const moves = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => (row.isOpen ? go(at + 1) : row.inside > 0 && openFolder(root, row.path, true)),
      ArrowLeft: () => (row.isOpen ? openFolder(root, row.path, false) : above() >= 0 && go(above())),
      Enter: () => made.children[at].click(),
      " ": () => made.children[at].click(),
    }
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    moves[event.key]()
  }
  return made
}
