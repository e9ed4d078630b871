// What a search can be narrowed by: a bar for each year, and lists of values with counts.

const FIRST = 6 // values of a fact that are shown at once
const MAX_SPAN = 80 // years; beyond that only those with pictures get a bar: some camera's clock stood at 1904

function element(name, className, attributes = {}, text = "") {
  const made = document.createElement(name)
  made.className = className
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}

const number = (count) => count.toLocaleString("en")
const pictures = (count) => (count === 1 ? "1 picture" : `${number(count)} pictures`)

function yearsOf(bars) {
  const known = new Map(bars)
  const first = bars[0][0]
  const last = bars[bars.length - 1][0]
  if (last - first >= MAX_SPAN) return bars
  return Array.from({ length: last - first + 1 }, (_, step) => [first + step, known.get(first + step) ?? 0])
}

function drawYears(root, years, choose) {
  const section = root.querySelector(".years")
  section.hidden = years.bars.length === 0
  if (section.hidden) return section.replaceChildren()
  const all = yearsOf(years.bars)
  const most = Math.max(...all.map(([, count]) => count))
  const isOn = (year) => years.first > 0 && year >= years.first && year <= years.last

  const title = element("h2", "title", {}, "Years")
  const said = element("span", "said", { "aria-live": "polite" })
  const say = (first, last) => {
    const sum = all.filter(([year]) => year >= first && year <= last).reduce((total, [, count]) => total + count, 0)
    said.textContent = `${first === last ? first : `${first}–${last}`} · ${number(sum)}`
  }
  const rest = () => (years.first ? say(Math.max(years.first, all[0][0]), Math.min(years.last, all[all.length - 1][0])) : (said.textContent = ""))
  title.append(said)

  const bars = element("div", "bars", { role: "group", "aria-label": "Years" })
  const focusable = all.find(([year]) => isOn(year))?.[0] ?? all[all.length - 1][0]
  for (const [year, count] of all) {
    const label = `${year}, ${pictures(count)}`
    const bar = element("button", "bar", { type: "button", "data-year": year, "aria-label": label, "aria-pressed": isOn(year) })
    bar.tabIndex = year === focusable ? 0 : -1
    const fill = element("span", "fill")
    // The square root: one year of a thousand pictures leaves the others something to be seen by.
    fill.style.height = count ? `${Math.max(4, Math.sqrt(count / most) * 100)}%` : "0"
    bar.append(fill)
    bars.append(bar)
  }
  const ends = element("div", "ends", { "aria-hidden": "true" })
  ends.append(element("span", "", {}, all[0][0]))
  if (all.length > 1) ends.append(element("span", "", {}, all[all.length - 1][0]))

  const at = (event) => {
    const box = bars.getBoundingClientRect()
    const step = Math.floor(((event.clientX - box.left) / box.width) * all.length)
    return all[Math.min(Math.max(step, 0), all.length - 1)][0]
  }
  let from = null
  const mark = (first, last) => {
    for (const bar of bars.children) {
      const year = Number(bar.dataset.year)
      bar.setAttribute("aria-pressed", year >= first && year <= last)
    }
    say(first, last)
  }
  bars.onpointerdown = (event) => {
    if (event.button !== 0) return
    from = event.shiftKey && years.first ? years.first : at(event)
    bars.setPointerCapture(event.pointerId)
    mark(...[from, at(event)].sort((a, b) => a - b))
  }
  bars.onpointermove = (event) => {
    const year = at(event)
    if (from === null) say(year, year)
    else mark(...[from, year].sort((a, b) => a - b))
  }
  bars.onpointerleave = () => from === null && rest()
  bars.onpointercancel = () => {
    from = null
    draw(root)
  }
  bars.onpointerup = (event) => {
    if (from === null) return
    const range = [from, at(event)].sort((a, b) => a - b)
    from = null
    choose(...range)
  }
  bars.onkeydown = (event) => {
    const place = [...bars.children].indexOf(event.target)
    const steps = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: all.length - 1 }
    if (event.key in steps) {
      event.preventDefault()
      const next = bars.children[Math.min(Math.max(steps[event.key], 0), all.length - 1)]
      event.target.tabIndex = -1
      next.tabIndex = 0
      next.focus()
      say(Number(next.dataset.year), Number(next.dataset.year))
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault()
      const year = Number(event.target.dataset.year)
      choose(...(event.shiftKey && years.first ? [Math.min(years.first, year), Math.max(years.last, year)] : [year, year]))
    }
  }
  // What reads the page aloud presses without a pointer and without a key.
  bars.onclick = (event) => {
    if (event.detail !== 0 || !event.target.dataset.year) return
    choose(Number(event.target.dataset.year), Number(event.target.dataset.year))
  }
  rest()
  section.replaceChildren(title, bars, ends)
}

function valueOf(value, choose) {
  const row = element("li", "row")
  const button = element("button", "value", { type: "button", "aria-pressed": value.on, "data-text": value.text })
  button.classList.toggle("off", value.off)
  const meaning = value.off ? `Left out: ${value.label}. Press to leave it out no longer.` : ""
  button.title = meaning || (value.said ? `${value.label}, ${value.said}` : value.label)
  button.append(
    element("span", "label", {}, value.label),
    element("span", "count", { "aria-label": value.off ? "left out" : (value.said ?? pictures(value.count)) }, number(value.count)),
  )
  button.onclick = () => choose(value)
  row.append(button)
  return row
}

function groupOf(root, group) {
  const { opened, chooseValue: choose } = root
  const section = element("section", "group")
  section.append(element("h2", "title", {}, group.title))
  const list = element("ul", "values", { "aria-label": group.title })
  const isOpen = opened.has(group.title)
  // What is chosen is never hidden.
  const shown = group.values.filter((value, place) => isOpen || place < FIRST || value.on || value.off)
  list.append(...shown.map((value) => valueOf(value, choose)))
  if (shown.length) section.append(list)
  if (group.tree) section.append(drawTree(root, group.tree, group.title))
  if (group.values.length > FIRST) {
    const more = element("button", "more", { type: "button", "aria-expanded": isOpen, "data-group": group.title })
    more.textContent = isOpen ? "Fewer" : `${number(group.values.length - shown.length)} more`
    if (isOpen || shown.length < group.values.length) section.append(more)
  }
  return section
}

function draw(root) {
  const { data, chooseYears } = root
  const focused = root.getRootNode().activeElement?.dataset ?? {}
  drawYears(root, data.years, chooseYears)
  root.querySelector(".groups").replaceChildren(...data.groups.map((group) => groupOf(root, group)))
  // Whoever goes by keyboard stays where they were.
  for (const [name, value] of Object.entries(focused)) {
    root.querySelector(`[data-${name}="${CSS.escape(value)}"]`)?.focus()
  }
}

export default function ({ data: [data], parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".facets")
  if (!root) {
    root = element("div", "facets", { role: "region", "aria-label": "Filters" })
    root.append(element("section", "years group"), element("div", "groups"))
    root.opened = new Set()
    parentElement.append(root)
    makeSheet(root, () => setTriggerValue("closed", true))
  }
  showSheet(root)
  root.data = data
  root.chooseYears = (first, last) => {
    const again = first === data.years.first && last === data.years.last
    setTriggerValue("dates", again ? [] : [first, last])
  }
  root.chooseValue = (value) => {
    // All since the last drawing: of two values in a moment the page hears the second alone.
    root.chosen.set(value.text, !(root.chosen.get(value.text) ?? (value.on || value.off)))
    setTriggerValue("chosen", [...root.chosen])
  }
  root.onclick = (event) => {
    const title = event.target.closest(".more")?.dataset.group
    if (title === undefined) return
    root.opened.has(title) ? root.opened.delete(title) : root.opened.add(title)
    draw(root)
  }
  const signature = JSON.stringify(data)
  if (root.signature === signature) return
  root.signature = signature
  root.chosen = new Map()
  for (const { tree } of data.groups) if (tree) takeTree(root, tree)
  draw(root)
}
