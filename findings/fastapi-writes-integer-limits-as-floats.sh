#!/usr/bin/env bash
# FastAPI: the OpenAPI document writes limits of integers as floats, so that large ones come out wrong.
#
# Expected: "maximum": 9223372036854775807 for a field of pydantic with le=2**63 - 1, as pydantic's own schema says.
# Seen with FastAPI 0.165.0 and pydantic 2: 9.223372036854776e+18, which is one more. A program that checks its
# numbers against the document lets 2**63 through. The models' own model_json_schema() has the right number.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check 'fastapi==0.165.0'
"$work/env/bin/python" - <<'PYTHON'
import fastapi
import pydantic
from pydantic import BaseModel, Field


class Item(BaseModel):
    id: int = Field(le=2**63 - 1)


app = fastapi.FastAPI()


@app.get("/item", response_model=Item)
def item() -> None: ...


own = Item.model_json_schema()["properties"]["id"]["maximum"]
seen = app.openapi()["components"]["schemas"]["Item"]["properties"]["id"]["maximum"]
print("fastapi", fastapi.__version__, "pydantic", pydantic.__version__)
print("expected:", own)
print("seen:    ", repr(seen), "which is", int(seen))
raise SystemExit(not (own == 2**63 - 1 and isinstance(seen, float) and int(seen) == 2**63))
PYTHON
