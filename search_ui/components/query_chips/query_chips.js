// The parts of the query as chips.

function element(name, className, text = "") {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  return made
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

export default function ({ data: [{ chips }], parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".chips")
  if (!root) {
    root = element("ul", "chips")
    root.setAttribute("aria-label", "What was understood")
    parentElement.append(root)
  }
  root.trigger = setTriggerValue // of this run: chips that did not change were made by an earlier one
  const signature = JSON.stringify(chips)
  if (root.signature !== signature) {
    root.signature = signature
    const removed = new Map() // since this drawing: of two values in quick succession the page gets only the second
    const remove = (text) => {
      const there = chips.filter((chip) => chip.part === text).length
      removed.set(text, Math.max(0, (removed.get(text) ?? there) - 1))
      root.trigger("removed", [...removed])
    }
    // A chip that was closed by keyboard hands the focus to the one that takes its place.
    const place = [...root.children].findIndex((chip) => chip.contains(root.getRootNode().activeElement))
    root.replaceChildren(...chips.map((chip) => chipOf(chip, remove, (name) => root.trigger("crop", name))))
    if (place >= 0) root.children[Math.min(place, root.children.length - 1)].querySelector(".close").focus()
  }
  // The last one to the box. Streamlit also calls this for a drawing that a newer one replaced.
  const isLost = () => !root.isConnected && (!document.activeElement || document.activeElement === document.body)
  return () => setTimeout(() => isLost() && window.dispatchEvent(new Event("sightline-box")), 0)
}
