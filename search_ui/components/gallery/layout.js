// Where each picture goes. Plain arithmetic: nothing here knows of the page.

const NARROWEST = 0.5
const WIDEST = 3

// Panoramas and strips have a frame that still fits a row; those that would leave much of it empty fill it with a part.
const isLong = (ratio) => ratio < 1 / WIDEST || ratio > WIDEST
const clamped = (ratio) => Math.min(Math.max(ratio, NARROWEST), WIDEST)

// Rows of even height, each as wide as the page: a row ends where its height comes nearest to `target`. The last one is
// not stretched. Gives a box for each ratio, in pixels from the top left, and the height of all.
function justified(ratios, width, target, gap) {
  const boxes = []
  let from = 0
  let top = 0
  const heightOf = (sum, count) => (width - gap * (count - 1)) / sum
  const end = (to, height) => {
    let left = 0
    for (let index = from; index < to; index++) {
      const right = left + clamped(ratios[index]) * height
      // On whole pixels: else the edges of pictures are blurred.
      boxes.push({ left: Math.round(left), top, width: Math.round(right) - Math.round(left), height })
      left = right + gap
    }
    top += height + gap
    from = to
  }
  let sum = 0
  for (let index = 0; index < ratios.length; index++) {
    const before = from < index ? heightOf(sum, index - from) : Infinity
    sum += clamped(ratios[index])
    const height = heightOf(sum, index - from + 1)
    if (height > target) continue
    if (before / target < target / height) {
      end(index, Math.round(before))
      sum = clamped(ratios[index])
      if (heightOf(sum, 1) > target) continue
    }
    end(index + 1, Math.round(heightOf(sum, index - from + 1)))
    sum = 0
  }
  if (from < ratios.length) end(ratios.length, Math.round(Math.min(target, heightOf(sum, ratios.length - from))))
  return { boxes, height: Math.max(0, top - gap) }
}

const middle = (box) => box.left + box.width / 2

// The place, in `boxes` that are in reading order, of the picture `rows` rows below, or above where negative, whose
// middle is nearest to `x`; the last row there is where there are fewer.
function inRow(boxes, place, rows, x) {
  const step = Math.sign(rows)
  let found = place
  for (let left = Math.abs(rows); left > 0; left--) {
    let next = found
    while (boxes[next] && boxes[next].top === boxes[found].top) next += step
    if (!boxes[next]) break
    found = next
  }
  if (boxes[found].top === boxes[place].top) return place
  let best = found
  for (let at = found; boxes[at]?.top === boxes[found].top; at += step) {
    if (Math.abs(middle(boxes[at]) - x) < Math.abs(middle(boxes[best]) - x)) best = at
  }
  return best
}

const overlaps = (box, area) =>
  box.left < area.right && box.left + box.width > area.left && box.top < area.bottom && box.top + box.height > area.top
