// Draws the points: with WebGL where the browser has it, else one by one on a plain canvas.

const VERTEX = `
attribute vec2 place;
attribute float category;
attribute float lit;
uniform vec2 centre, scale;
uniform mediump float size; // as in the other shader, or the two do not go together
uniform float only;
varying float shade;
varying float dim;
void main() {
  gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
  bool shown = lit > 0.5 && (only < 0.0 || abs(category - only) < 0.5);
  dim = shown ? 0.0 : 1.0;
  gl_PointSize = size * (shown ? 1.0 : 0.75);
  shade = (category + 0.5) / 256.0;
}`

const FRAGMENT = `
precision mediump float;
uniform sampler2D palette;
uniform vec3 ground;
uniform float size;
varying float shade;
varying float dim;
void main() {
  float away = length(gl_PointCoord - 0.5) * size;
  float edge = size * 0.5;
  float cover = 1.0 - smoothstep(edge - 1.2, edge, away);
  if (cover <= 0.0) discard;
  vec3 colour = texture2D(palette, vec2(shade, 0.5)).rgb;
  // A rim of the ground's colour keeps points apart where they crowd.
  float rim = size > 7.0 ? smoothstep(edge - 2.4, edge - 1.2, away) * 0.75 : 0.0;
  float alpha = cover * mix(0.9, 0.1, dim);
  gl_FragColor = vec4(mix(colour, ground, rim) * alpha, alpha);
}`

function compiled(gl, type, source) {
  const shader = gl.createShader(type)
  gl.shaderSource(shader, source)
  gl.compileShader(shader)
  return shader
}

function webglDrawer(gl) {
  const program = gl.createProgram()
  gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX))
  gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT))
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null
  gl.useProgram(program)
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  const at = (name) => gl.getUniformLocation(program, name)
  const uniforms = Object.fromEntries(["centre", "scale", "size", "only", "ground"].map((name) => [name, at(name)]))
  const buffers = {}
  const fill = (name, array, width, type) => {
    buffers[name] ??= gl.createBuffer()
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name])
    gl.bufferData(gl.ARRAY_BUFFER, array, gl.STATIC_DRAW)
    const place = gl.getAttribLocation(program, name)
    gl.enableVertexAttribArray(place)
    gl.vertexAttribPointer(place, width, type, false, 0, 0)
  }
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
  for (const name of ["TEXTURE_MIN_FILTER", "TEXTURE_MAG_FILTER"]) gl.texParameteri(gl.TEXTURE_2D, gl[name], gl.NEAREST)
  return {
    points: ({ places, categories, lit }) => {
      fill("place", places, 2, gl.FLOAT)
      fill("category", categories, 1, gl.UNSIGNED_BYTE)
      fill("lit", lit, 1, gl.UNSIGNED_BYTE)
    },
    lit: (lit) => fill("lit", lit, 1, gl.UNSIGNED_BYTE),
    draw: ({ camera, ratio, palette, ground, size, only, count }) => {
      const { drawingBufferWidth: width, drawingBufferHeight: height } = gl
      gl.viewport(0, 0, width, height)
      gl.clearColor(0, 0, 0, 0)
      gl.clear(gl.COLOR_BUFFER_BIT)
      if (!count) return
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette)
      gl.uniform2f(uniforms.centre, camera.x, camera.y)
      gl.uniform2f(uniforms.scale, (2 * camera.scale * ratio) / width, (2 * camera.scale * ratio) / height)
      gl.uniform1f(uniforms.size, size * ratio)
      gl.uniform1f(uniforms.only, only)
      gl.uniform3f(uniforms.ground, ...ground.map((part) => part / 255))
      gl.drawArrays(gl.POINTS, 0, count)
    },
    free: () => gl.getExtension("WEBGL_lose_context")?.loseContext(),
  }
}

function canvasDrawer(context) {
  let points = { places: [], categories: [], lit: [] }
  return {
    points: (given) => (points = given),
    lit: () => {},
    draw: ({ camera, ratio, palette, size, only, count, width, height }) => {
      const { places, categories, lit } = points
      context.setTransform(ratio, 0, 0, ratio, 0, 0)
      context.clearRect(0, 0, width, height)
      for (let i = 0; i < count; i++) {
        const x = (places[2 * i] - camera.x) * camera.scale + width / 2
        const y = height / 2 - (places[2 * i + 1] - camera.y) * camera.scale
        if (x < -size || y < -size || x > width + size || y > height + size) continue
        const at = 4 * categories[i]
        context.globalAlpha = lit[i] && (only < 0 || categories[i] === only) ? 0.9 : 0.1
        context.fillStyle = `rgb(${palette[at]} ${palette[at + 1]} ${palette[at + 2]})`
        context.fillRect(x - size / 2, y - size / 2, size, size)
      }
    },
    free: () => {},
  }
}

const NOTHING = { points: () => {}, lit: () => {}, draw: () => {}, free: () => {} }

// What draws on a canvas. A canvas that once gave one kind of context never gives the other.
function drawer(canvas) {
  const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true, powerPreference: "high-performance" })
  if (!gl) return canvasDrawer(canvas.getContext("2d"))
  return webglDrawer(gl) ?? NOTHING // the context was just lost; `webglcontextrestored` fires when it is back
}

// Land and a net of meridians and parallels, on a canvas below the points.
function drawLand(canvas, land, camera, { width, height, ratio, colours }) {
  const context = canvas.getContext("2d")
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  if (!land) return
  const x = (degrees) => (degrees / 180 - camera.x) * camera.scale + width / 2
  const y = (degrees) => height / 2 - (degrees / 180 - camera.y) * camera.scale
  context.fillStyle = colours.sea
  context.fillRect(x(-180), y(90), x(180) - x(-180), y(-90) - y(90))
  context.beginPath()
  for (const ring of land) {
    for (let i = 0; i < ring.length; i += 2) context[i ? "lineTo" : "moveTo"](x(ring[i] / 180), y(ring[i + 1] / 180))
    context.closePath()
  }
  context.fillStyle = colours.land
  context.fill("evenodd")
  context.strokeStyle = colours.coast
  context.lineWidth = 0.8
  context.stroke()
  const degrees = (180 / camera.scale) * 120 // that 120 pixels are
  const step = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1].find((each) => each <= degrees) ?? 0.1
  const east = Math.min(180, (camera.x + width / 2 / camera.scale) * 180)
  const north = Math.min(90, (camera.y + height / 2 / camera.scale) * 180)
  const first = (low) => Math.ceil(low / step - 1e-9) * step
  context.beginPath()
  for (let at = first(Math.max(-180, (camera.x - width / 2 / camera.scale) * 180)); at <= east + 1e-9; at += step) {
    context.moveTo(x(at), y(90))
    context.lineTo(x(at), y(-90))
  }
  for (let at = first(Math.max(-90, (camera.y - height / 2 / camera.scale) * 180)); at <= north + 1e-9; at += step) {
    context.moveTo(x(-180), y(at))
    context.lineTo(x(180), y(at))
  }
  context.strokeStyle = colours.net
  context.lineWidth = 0.5
  context.stroke()
}
