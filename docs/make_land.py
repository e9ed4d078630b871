"""Makes map/land.bin and land.svg in search_ui/components/ from the land of Natural Earth (npm package world-atlas 2).

Usage: python docs/make_land.py land-110m.json

A TopoJSON file keeps coasts as arcs of differences of whole numbers (github.com/topojson/topojson-specification); here
they are joined to rings again. On a sphere a ring may go over the date line or around a pole: it is cut there.

land.bin, which the map draws: the number of rings, uint16; the number of corners of each, uint16; then longitude and
latitude of each corner in 1/180 degree, int16. All little-endian. A ring's last corner is its first.

land.svg, which the dialog of a picture shows: the same in degrees, to a tenth, with a net of lines each 30 degrees.
"""

from __future__ import annotations

import json
import struct
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

COMPONENTS = Path(__file__).parent.parent / "search_ui" / "components"
STEPS = 180  # a degree: 180 of them are about the most with which 180 degrees go into 16 bits
WORLD = 360 * STEPS

Point = tuple[int, int]


def arcs(topology: dict[str, Any]) -> list[list[Point]]:
    """Each arc as corners in steps."""
    (sx, sy), (tx, ty) = topology["transform"]["scale"], topology["transform"]["translate"]
    made = []
    for arc in topology["arcs"]:
        places = accumulate(arc, lambda at, by: [at[0] + by[0], at[1] + by[1]])
        made.append([(round((x * sx + tx) * STEPS), round((y * sy + ty) * STEPS)) for x, y in places])
    return made


def rings(topology: dict[str, Any]) -> list[list[Point]]:
    """Every ring of the land; a number ~n means arc n the other way round."""
    known = arcs(topology)
    found = []
    for shape in topology["objects"]["land"]["geometries"]:
        polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
        for ring in (ring for polygon in polygons for ring in polygon):
            corners: list[Point] = []
            for number in ring:
                arc = known[number] if number >= 0 else known[~number][::-1]
                corners += arc[1:] if corners else arc
            found += on_plane(corners)
    return found


def on_plane(ring: list[Point]) -> list[list[Point]]:
    """A ring of the sphere as rings of the map, from -180 to 180 degrees."""
    # Never more than half way round at one step: longitudes may then go beyond the map, but do not jump.
    line, turns = [ring[0]], 0
    for (x, y), (last, _) in zip(ring[1:], ring, strict=False):
        turns += round((last - x) / WORLD)
        line.append((x + turns * WORLD, y))
    if line[-1][0] != line[0][0]:  # around a pole: Antarctica
        pole = 90 * STEPS * (1 if line[0][1] > 0 else -1)
        line += [(line[-1][0], pole), (line[0][0], pole), line[0]]
    found = []
    for shift in (-WORLD, 0, WORLD):
        part = [(x + shift, y) for x, y in line]
        for sign in (1, -1):
            part = cut(part, sign)
        if len(set(part)) > 2:
            closed = [*part, part[0]]
            found.append([each for each, last in zip(closed, [None, *closed], strict=False) if each != last])
    return found


def cut(ring: list[Point], sign: int) -> list[Point]:
    """What of a ring lies on this side of the map's eastern edge, or western one where `sign` is -1.

    I. Sutherland and G. Hodgman, "Reentrant polygon clipping", Communications of the ACM 17 (1974).
    """
    edge = WORLD // 2
    kept: list[Point] = []
    for (ax, ay), (bx, by) in zip(ring[-1:] + ring[:-1], ring, strict=True):
        if (sign * ax <= edge) != (sign * bx <= edge):
            kept.append((sign * edge, round(ay + (by - ay) * (sign * edge - ax) / (bx - ax))))
        if sign * bx <= edge:
            kept.append((bx, by))
    return kept


def binary(land: list[list[Point]]) -> bytes:
    """Rings as land.bin."""
    data = struct.pack(f"<H{len(land)}H", len(land), *map(len, land))
    return data + b"".join(struct.pack("<2h", *corner) for ring in land for corner in ring)


def drawing(land: list[list[Point]]) -> str:
    """Rings as land.svg, in greys that suit a light page and a dark one. South is down."""
    corners = [[f"{round(x / STEPS, 1):g},{-round(y / STEPS, 1):g}" for x, y in ring] for ring in land]
    shores = "".join(f"M{'L'.join(ring)}Z" for ring in corners)
    meridians = "".join(f"M{x},-90V90" for x in range(-150, 180, 30))
    parallels = "".join(f"M-180,{y}H180" for y in range(-60, 90, 30))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -90 360 180">'
        '<rect x="-180" y="-90" width="360" height="180" rx="8" fill="#888" fill-opacity="0.1"/>'
        f'<path d="{shores}" fill="#888" fill-opacity="0.45"/>'
        f'<path d="{meridians}{parallels}" fill="none" stroke="#888" stroke-opacity="0.3" stroke-width="0.6"/></svg>'
    )


def main() -> None:
    """Read the file that the command line names, write ours."""
    land = rings(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    (COMPONENTS / "map" / "land.bin").write_bytes(binary(land))
    (COMPONENTS / "land.svg").write_text(drawing(land), encoding="utf-8")
    print(f"{len(land)} rings, {sum(map(len, land))} corners")  # noqa: T201


if __name__ == "__main__":
    main()
