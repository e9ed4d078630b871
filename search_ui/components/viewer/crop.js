// A part of the picture: a rectangle that is drawn, dragged or moved by keys, and then searched with.

const MOVE = 0.02 // of the picture's side, for each press of an arrow
const LEAST = 0.02 // the smallest part, as a share

class PartFrame extends Frame {
  startCrop() {
    this.root.classList.add("cropping")
    this.area.hidden = false
    this.setBox([0.25, 0.25, 0.75, 0.75])
    this.area.focus({ preventScroll: true })
  }

  endCrop() {
    this.box = undefined
    this.area.hidden = true
    this.root.classList.remove("cropping")
    this.crop.focus({ preventScroll: true })
  }

  takePart() {
    const box = this.box
    if (!box) return
    this.take.setAttribute("aria-disabled", "true")
    this.take.textContent = "Searching …"
    this.trigger("part", { id: this.here.id, box })
  }

  setBox(box) {
    this.box = box
    this.take.removeAttribute("aria-disabled")
    this.take.textContent = "Search with this part"
    const [left, top, right, bottom] = box
    const { style } = this.area
    style.left = percent(left)
    style.top = percent(top)
    style.width = percent(right - left)
    style.height = percent(bottom - top)
    const said = [left, top, right - left, bottom - top].map((share) => `${Math.round(share * 100)} %`)
    this.area.setAttribute(
      "aria-label",
      `${said[0]} from the left, ${said[1]} from the top, ${said[2]} wide, ${said[3]} high. ` +
        "Arrows move it, Shift with arrows changes its size, Enter searches, Escape leaves.",
    )
  }

  shareOf(event) {
    const shown = this.canvas.getBoundingClientRect()
    return [clamp((event.clientX - shown.left) / shown.width, 0, 1), clamp((event.clientY - shown.top) / shown.height, 0, 1)]
  }

  // What a drag does: a corner resizes, the inside moves, anywhere else a new rectangle begins.
  grab(event) {
    const [x, y] = this.shareOf(event)
    const [left, top, right, bottom] = this.box
    const corner = event.target.dataset?.corner
    if (corner) {
      this.hold = { anchor: [corner.includes("w") ? right : left, corner.includes("n") ? bottom : top] }
    } else if (x > left && x < right && y > top && y < bottom) {
      this.hold = { offset: [x - left, y - top] }
    } else {
      this.hold = { anchor: [x, y] }
    }
  }

  drag(event) {
    const [x, y] = this.shareOf(event)
    const { anchor, offset } = this.hold
    if (offset) {
      const [left, top, right, bottom] = this.box
      const wide = right - left
      const high = bottom - top
      const [newLeft, newTop] = [clamp(x - offset[0], 0, 1 - wide), clamp(y - offset[1], 0, 1 - high)]
      this.setBox([newLeft, newTop, newLeft + wide, newTop + high])
      return
    }
    const side = (from, to) => (Math.abs(to - from) < LEAST ? undefined : [Math.min(from, to), Math.max(from, to)])
    const [across, down] = [side(anchor[0], x), side(anchor[1], y)]
    if (across && down) this.setBox([across[0], down[0], across[1], down[1]])
  }
}
