// Hands what changes often to the gallery of the same key. A component of its own, which draws nothing: Streamlit sends
// a component's data again as a whole when a part of it changed.

export default function ({ data }) {
  const all = (window.sightlineMarks ??= new Map())
  // Where the page around it moves, Streamlit draws what was there before once more before it takes it away.
  if (all.get(data.to)?.at > data.at) return
  all.set(data.to, data)
  window.dispatchEvent(new CustomEvent("sightline-marks", { detail: data.to }))
}
