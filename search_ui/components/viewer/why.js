// Where in the picture the words of the search were found: light over the places that speak for them. The colours run
// from dark blue to yellow, which all eyes tell apart, also by lightness alone (cividis, Nunez et al., 2018).

const HEAT = [[0, 34, 78], [67, 78, 108], [125, 124, 120], [188, 174, 108], [254, 232, 56]]
const VEILS = [0.68, 0.3] // how much of the picture is covered where nothing speaks for the words, and where most does
const LIFT = 0.7 // the power of a share: the second of two things is seen beside the first
const HEAT_SIDE = 768 // px of the longer side of what is drawn: it is smooth, and scaled
const SLOW = 600 // ms after which a visitor is told what is waited for
const STRIPE = 9 // px between the lines over what took no part

class WhyFrame extends PartFrame {
  async toggleWhy() {
    if (!this.words || this.box || !this.here.small) return
    if (this.asked) return this.clearWhy()
    const asked = (this.asked = {})
    const isWanted = () => this.asked === asked
    this.why.setAttribute("aria-pressed", "true")
    const waiting = setTimeout(() => isWanted() && (this.notice.textContent = "Looking … The first time, the model is loaded."), SLOW)
    try {
      const answer = await fetch(`/api/v1/photos/${this.here.id}/explain?${new URLSearchParams({ text: this.words, part: this.here.part })}`)
      const found = await answer.json()
      if (!isWanted()) return
      if (!answer.ok) throw new Error(found.detail)
      this.drawHeat(found)
    } catch (error) {
      if (!isWanted()) return
      this.clearWhy()
      this.notice.textContent = error.message || "The server does not answer."
    } finally {
      clearTimeout(waiting)
    }
  }

  clearWhy() {
    if (!this.asked) return
    this.asked = undefined
    this.heat.hidden = true
    this.why.setAttribute("aria-pressed", "false")
    this.notice.textContent = ""
  }

  drawHeat({ map, box, peak, text }) {
    const { width, height } = this.here
    const scale = HEAT_SIDE / Math.max(width, height)
    this.heat.width = Math.max(1, Math.round(width * scale))
    this.heat.height = Math.max(1, Math.round(height * scale))
    const context = this.heat.getContext("2d")
    const across = (share) => share * this.heat.width
    const down = (share) => share * this.heat.height
    const area = [across(box.left), down(box.top), across(box.width), down(box.height)]
    this.hatch(context)
    context.clearRect(...area)
    context.imageSmoothingQuality = "high"
    context.drawImage(cells(map), ...area)
    const isWhole = Math.min(box.width, box.height) > 0.995
    const place = peak && `most at ${Math.round(peak[0] * 100)} % from the left and ${Math.round(peak[1] * 100)} % from the top`
    const said = peak ? `Bright is what speaks for “${text}”.` : `Nothing in the picture speaks for “${text}”.`
    this.heat.setAttribute("aria-label", peak ? `Where “${text}” was found: ${place}.` : said)
    this.heat.hidden = false
    this.notice.textContent = isWhole ? said : `${said} What is striped took no part.`
  }

  // What took no part: it was cropped off, or the words were found in a tile.
  hatch(context) {
    const { width, height } = context.canvas
    context.fillStyle = "rgb(40 40 40 / 60%)"
    context.fillRect(0, 0, width, height)
    context.strokeStyle = "rgb(255 255 255 / 35%)"
    context.beginPath()
    for (let from = -height; from < width; from += STRIPE) {
      context.moveTo(from, height)
      context.lineTo(from + height, 0)
    }
    context.stroke()
  }
}

// A map as an image, a pixel for each place.
function cells(map) {
  const made = element("canvas", "")
  made.height = map.length
  made.width = map[0].length
  const pixels = new ImageData(made.width, made.height)
  map.flat().forEach((found, at) => {
    const share = found ** LIFT
    const place = share * (HEAT.length - 1)
    const below = Math.min(Math.floor(place), HEAT.length - 2)
    const mix = (one, other, part) => one + (other - one) * part
    const colour = HEAT[below].map((value, channel) => mix(value, HEAT[below + 1][channel], place - below))
    pixels.data.set([...colour, 255 * mix(...VEILS, share)], 4 * at)
  })
  made.getContext("2d").putImageData(pixels, 0, 0)
  return made
}
