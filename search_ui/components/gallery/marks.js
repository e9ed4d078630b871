// Passes data that changes often to the gallery of the same key. A component of its own, which draws nothing: Streamlit
// sends all data of a component again when a part of it changed.

export default function ({ data: [data] }) {
  const all = (window.sightlineMarks ??= new Map())
  // Where the page around it moves, Streamlit draws the old data once more before it removes the component.
  if (all.get(data.to)?.at > data.at) return
  all.set(data.to, data)
  window.dispatchEvent(new CustomEvent("sightline-marks", { detail: data.to }))
}
