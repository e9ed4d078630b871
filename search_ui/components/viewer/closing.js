// Closes the dialog in the browser, before the server has followed, and keeps it closed: a run that was on its way may
// still draw it as open. The server numbers the openings; a dialog of one that was closed here is not shown any more.

const TITLE = "Picture" // of the dialog, see views/photo.py: it is there before what the dialog holds
const AGAIN_AFTER = 3000 // ms until a server that still draws the dialog is told once more
const WAIT = 15_000 // ms for the dialog of a picture that is shown ahead of it

function photoDialog() {
  return [...document.getElementsByClassName("stDialog")].find(
    (dialog) => dialog.querySelector(".st-key-photo-dialog") || dialog.querySelector("h2")?.textContent === TITLE,
  )
}
const photoOfUrl = () => Number(new URLSearchParams(location.search).get("photo")) || undefined

class Closing {
  constructor() {
    this.isClosed = false
    this.isBack = false // whether Back or Forward led to an address without a picture
    this.known = new Map() // pictures by id, to show one before its dialog is there
    // Streamlit closes its dialog while it handles one of these: by the cross, a click beside it, Escape.
    for (const name of ["click", "pointerup", "keydown"]) window.addEventListener(name, (event) => this.watch(event), true)
    window.addEventListener("sightline-moved", () => this.moved())
    this.closedAt = 0
    const redrawn = () => this.isClosed && performance.now() - this.closedAt < WAIT && this.hide()
    new MutationObserver(redrawn).observe(document.body, { childList: true, subtree: true })
  }

  // A drawing of the dialog. `opening`: its number; `pictures`: those it can show.
  drawn(opening, pictures) {
    this.opening = opening
    for (const picture of pictures) this.known.set(picture.id, picture)
    this.isClosed = opening === this.closed || (this.isBack && !photoOfUrl())
    if (!this.isClosed) return this.show()
    this.hide()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.dismiss(), AGAIN_AFTER)
  }

  watch(event) {
    if (event.key === "Escape" && this.ahead) history.back()
    if (!photoDialog()) return
    const { opening } = this
    setTimeout(() => photoDialog() || this.note(opening), 0)
  }

  note(opening) {
    Object.assign(this, { closed: opening, isClosed: true, closedAt: performance.now() })
  }

  // Back or Forward led to another address of the page.
  moved() {
    const photo = photoOfUrl()
    const isOpen = Boolean(photoDialog()) && !this.isClosed
    this.isBack = !photo
    this.endAhead()
    if (photo) {
      this.closed = undefined
      this.isClosed = false
      if (!isOpen) this.showAhead(this.known.get(photo))
    } else {
      this.note(this.opening) // also where none is open: a run may be about to draw it
      if (!isOpen) return
      this.hide()
      // Taken out once that is seen, for it is much work; and once the server was told of Back, or the dismissal, of
      // which it is told too, would be a step of the history.
      const later = setTimeout(() => this.dismiss(), 500) // where nothing is drawn, as in a hidden tab
      requestAnimationFrame(() => setTimeout(() => (clearTimeout(later), this.dismiss()), 0))
    }
  }

  // By its own style: a class of the document would have the browser look at all of the page again.
  hide() {
    const dialog = photoDialog()
    if (!dialog || dialog.style.display === "none") return
    dialog.style.display = "none"
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.reveal(), AGAIN_AFTER) // should nobody say whose drawing it is
  }

  show() {
    clearTimeout(this.timer)
    this.endAhead()
    this.reveal()
  }

  reveal() {
    const dialog = photoDialog()
    if (dialog) dialog.style.display = ""
  }

  // Streamlit's own closing: until then what is behind the dialog can't be used.
  dismiss() {
    if (this.isClosed) photoDialog()?.querySelector('button[aria-label="Close"]')?.click()
  }

  // The small picture where its dialog will be.
  showAhead(picture) {
    if (!picture?.small) return
    this.ahead = element("div", "photo-ahead", { "aria-hidden": "true" })
    const image = element("img", "", { alt: "", src: picture.small })
    image.style.aspectRatio = picture.width / picture.height
    image.style.backgroundColor = picture.colour
    this.ahead.append(image)
    document.body.append(this.ahead)
    this.aheadTimer = setTimeout(() => this.endAhead(), WAIT)
  }

  endAhead() {
    clearTimeout(this.aheadTimer)
    this.ahead?.remove()
    this.ahead = undefined
  }
}

const closing = new Closing()
