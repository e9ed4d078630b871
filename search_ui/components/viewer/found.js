// The part of a picture that it was found by: a thin frame, until the visitor puts it away, for all pictures then.

let isOutlined = true

class FoundFrame extends WhyFrame {
  drawFound() {
    const box = this.here.small ? this.here.found : undefined
    this.outline.hidden = !box
    this.outline.setAttribute("aria-pressed", String(isOutlined))
    this.found.hidden = !box || !isOutlined
    if (!box) return
    for (const [at, side] of ["left", "top", "width", "height"].entries()) this.found.style[side] = percent(box[at])
  }

  toggleFound() {
    if (this.box || this.outline.hidden) return
    isOutlined = !isOutlined
    this.said.textContent = isOutlined ? "The part that it was found by is framed." : "The frame is hidden."
    this.drawFound()
  }
}
