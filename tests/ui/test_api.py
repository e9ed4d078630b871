"""The JSON interface: what it answers is what its document says, and only to whom it may."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import indexing
import models
import on_the_wire
import pytest
import requests
import schemathesis
import serving
from hypothesis import HealthCheck, Phase, find
from PIL import Image
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient
from support import ROOT, Answer

from examples import examples
from search_ui.runtime.services import services
from search_ui.server import api, asgi
from search_ui.server.api import inputs
from search_ui.server.api.problems import problem
from sightline.query.types import MAX_PICTURE_BYTES, MAX_QUERY
from store import progress
from store.library import Library
from store.lock import locked
from store.tables.marks_json import MAX_SEARCH_NAME

BASE = "http://127.0.0.1:8501"
PROBLEM = "application/problem+json"
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200), "grey": (120, 120, 120)}

# All that comes before the page, without the page: a process can have Streamlit's runtime only once. "testserver" is
# what schemathesis calls it.
APP = Starlette(middleware=asgi.middleware(["testserver"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_space: str) -> Path:
    """A folder with `photos/` (four pictures, one of them twice, and a broken file) and the `library/` of them."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "photos" / "trips").mkdir(parents=True)
    for number, (name, colour) in enumerate(COLOURS.items()):
        picture = Image.new("RGB", (160 + 40 * number, 120), colour)
        picture.paste((255, 255, 255), (10, 10, 30 + 10 * number, 60))
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Sony", f"Model {number % 2}"
        exif.get_ifd(0x8769)[0x9003] = f"{2020 + number % 2}:06:15 12:00:00"
        picture.save(folder / "photos" / ("trips" if number % 2 else "") / f"{name}.jpg", exif=exif)
    shutil.copy(folder / "photos" / "red.jpg", folder / "photos" / "trips" / "again.jpg")
    (folder / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    indexing.add(folder / "library", folder / "photos", tiny_space)
    return folder


@pytest.fixture
def library(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "library", tmp_path / "library")
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "library"


@pytest.fixture
def client(library: Path) -> TestClient:
    return TestClient(APP, base_url=BASE, headers=serving.header(), raise_server_exceptions=False)


def get(client: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert "Traceback" not in answer.text
    return found


def ids(found: dict[str, Any]) -> list[int]:
    return [hit["id"] for hit in found["hits"]]


def id_of(client: TestClient, name: str) -> int:
    """The id of the picture in the file of this name."""
    (found,) = get(client, "search", q=f"name:{name}")["hits"]
    return int(found["id"])


# -- the document ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library_to_try(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A library for schemathesis alone: some operations write."""
    library = tmp_path_factory.mktemp("schema") / "library"
    shutil.copytree(made / "library", library)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_LIBRARY", str(library))
        yield


CHECKS = {
    # 400 is for what breaks the document; 422 for what is in order, but means nothing or is a picture of nothing.
    "positive_data_acceptance": {"expected-statuses": ["2XX", "304", "404", "409", "422"]},
    "negative_data_rejection": {"expected-statuses": ["400", "401", "404", "413", "415"]},
    "not_a_server_error": {"expected-statuses": ["2XX", "3XX", "4XX"]},
}
served = schemathesis.openapi.from_asgi(
    "/api/v1/openapi.json", APP, config=SchemathesisConfig.from_dict({"checks": CHECKS}), headers=serving.header()
)


@served.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: dict[str, Any] | None) -> Any:
    """Ids of pictures that are there, mostly; those that are against the document stay."""
    id_ = (path_parameters or {}).get("id")
    return {"id": 1 + id_ % 5} if isinstance(id_, int) and 1 <= id_ <= inputs.MAX_ID else path_parameters


def tried(case: schemathesis.Case[Any]) -> bool:
    """Send a request that schemathesis made, and check the answer; whether it had to be refused, and was.

    What schemathesis broke can be whole again once it is sent (`on_the_wire`): then it has to be answered.
    """
    answer = case.call(headers=serving.header(), timeout=60)
    asked, meta, operation = answer.request, case.meta, case.operation.definition.raw
    assert meta is not None
    is_broken = meta.generation.mode.is_negative
    if (
        is_broken
        and not meta.is_negative_at(ParameterLocation.BODY)
        and asked.method == case.operation.method.upper()
        and asked.headers.get("Authorization") == serving.header()["Authorization"]
        and on_the_wire.is_in_order(operation, case.operation.full_path, asked)
    ):
        is_broken = False
        assert answer.status_code < 300 or answer.status_code in (304, 404, 409, 422), (asked.url, answer.text)
    excluded: list[Any] = [] if is_broken else [checks.negative_data_rejection]
    case.validate_response(answer, headers=serving.header(), excluded_checks=excluded)
    return is_broken and answer.status_code in (400, 404, 413, 415)


@pytest.fixture
def refusals() -> Iterator[list[tuple[dict[str, Any], bool]]]:
    """To be filled with the operation of each request, and whether it had to be refused: some had to be."""
    made: list[tuple[dict[str, Any], bool]] = []
    yield made
    operation = made[0][0]
    parameters = operation.get("parameters", [])
    # Almost every text is in order where any text is.
    strict = any(each["required"] and (each["in"], each["schema"]["type"]) != ("path", "string") for each in parameters)
    least = 5 if strict or "requestBody" in operation else int(bool(parameters))
    assert sum(refused for _, refused in made) >= least


@served.parametrize()
@examples(100, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_the_document_says(
    case: schemathesis.Case[Any], library_to_try: None, refusals: list[tuple[dict[str, Any], bool]]
) -> None:
    refusals.append((case.operation.definition.raw, tried(case)))


def test_a_broken_value_that_is_whole_once_it_is_sent_is_answered(library_to_try: None) -> None:
    # As schemathesis once made one: 0 for a text, in an address, and no token, which is sent all the same.
    operation = served["/api/v1/search"]["GET"]
    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    where = (ParameterLocation.QUERY, ParameterLocation.HEADER)
    case = find(
        strategy,
        lambda case: case.meta is not None and all(map(case.meta.is_negative_at, where)),
        settings=examples(
            4_000, phases=[Phase.generate], derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        ),
    )
    case.query = {"closer": "false", "generation": 0, "limit": 1, "offset": 0, "q": 0}
    assert not tried(case)
    case.query = {"closer": "maybe", "q": 0}
    assert tried(case)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/api/v1/search?q=0", True), ("/api/v1/search?q=0&limit=1&closer=true", True), ("/api/v1/search", False),
        ("/api/v1/search?q=", False), ("/api/v1/search?q=0&limit=0", False), ("/api/v1/search?q=0&limit=one", False),
        ("/api/v1/search?q=0&closer=True", False), ("/api/v1/search?q=0&offset=-1", False),
        ("/api/v1/search?q=0&p=0", False), ("/api/v1/search?q=0&q=1", False), ("/api/v1/searching?q=0", False),
    ],
)  # fmt: skip
def test_a_request_is_judged_as_it_was_sent(client: TestClient, made: Path, address: str, expected: bool) -> None:
    operation = get(client, "openapi.json")["paths"]["/api/v1/search"]["get"]
    asked = httpx.Request("GET", f"http://testserver{address}")
    sent = requests.Request(asked.method, str(asked.url)).prepare()
    assert on_the_wire.is_in_order(operation, "/api/v1/search", sent) is expected
    assert (client.get(address).status_code == 200) is expected


def test_every_route_is_in_the_document_and_the_other_way_round(client: TestClient) -> None:
    document = get(client, "openapi.json")
    assert document["openapi"].startswith("3.1")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    routed = {
        (route.path.replace(":path}", "}"), method)
        for route in api.json_api().routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert described == routed
    names = [item[method]["operationId"] for item in document["paths"].values() for method in item]
    assert len(names) == len(set(names))
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == set(document["components"]["schemas"])


def test_the_limits_in_the_document_are_those_of_the_code(client: TestClient) -> None:
    from sightline import labels

    assert (inputs.MAX_LABELS, inputs.MAX_TEMPLATES) == (labels.MAX_LABELS, labels.MAX_TEMPLATES)
    schemas = get(client, "openapi.json")["components"]["schemas"]
    # As a float it would be one more than SQLite's largest integer.
    assert schemas["Hit"]["properties"]["id"]["maximum"] == inputs.MAX_ID
    assert schemas["LabelRequest"]["properties"]["labels"]["maxItems"] == labels.MAX_LABELS


# -- the documentation ----------------------------------------------------------------------------------------------

DOCUMENTED = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def _asked(command: str, folder: Path) -> dict[str, Any]:
    """A curl command of the documentation as arguments of `httpx.request`."""
    words = iter(shlex.split(command)[1:])
    asked: dict[str, Any] = {"method": "GET", "params": [], "files": []}
    for word in words:
        if word == "-X":
            asked["method"] = next(words)
        elif word in ("-d", "--data-urlencode"):
            asked["params"].append(tuple(next(words).split("=", 1)))
        elif word == "--json":
            asked["content"], asked["headers"] = next(words), {"Content-Type": "application/json"}
        elif word == "-F":
            name, value = next(words).split("=", 1)
            file = (None, value) if not value.startswith("@") else (value[1:], (folder / value[1:]).read_bytes())
            asked["files"].append((name, file))
        elif word == "-o":
            next(words)
        elif word != "-G":
            assert word.startswith(BASE), word
            asked["url"] = word.removeprefix(BASE)
    if asked["method"] == "GET" and ("content" in asked or asked["files"]):
        asked["method"] = "POST"
    return {name: value for name, value in asked.items() if value}


def _like(shown: Any, real: Any, place: str) -> None:
    """What the documentation shows is there, and of its type; lists in the answer may be empty."""
    if isinstance(shown, dict):
        assert set(shown) <= set(real), place
        for name, value in shown.items():
            _like(value, real[name], f"{place}.{name}")
    elif isinstance(shown, list):
        for value in real[:1] if shown else ():
            _like(shown[0], value, f"{place}[]")
    elif shown is not None and real is not None:
        assert isinstance(real, float if isinstance(shown, float) else type(shown)), place


@pytest.mark.slow
def test_the_examples_in_the_documentation_run(made: Path, library: Path, tmp_path: Path) -> None:
    shutil.copy(made / "photos" / "blue.jpg", tmp_path / "boat.jpg")
    shown = re.findall(r"```sh\n(.+?)```(?:\n```json\n(.+?)```)?", DOCUMENTED, re.DOTALL)
    with serving.running(library, tmp_path / "log.txt") as url:
        for commands, example in shown:
            for command in commands.strip().splitlines():
                asked = _asked(command, tmp_path)
                headers = {**serving.header(), **asked.pop("headers", {})}
                answer = httpx.request(**{**asked, "url": url + asked["url"]}, headers=headers, timeout=60)
                assert answer.is_success, (command, answer.text)
            if example:
                _like(json.loads(example), answer.json(), command)
        # Streamlit's page is still there, and only there.
        assert "<html" in httpx.get(url, headers=serving.header()).text
        refused(httpx.get(f"{url}/api/v2/search", headers=serving.header()), 404)
        head = httpx.head(f"{url}/api/v1/status", headers=serving.header())
        assert (head.status_code, head.content) == (200, b"")
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    named = DOCUMENTED.replace("photos/1", "photos/ID").replace("searches/boats", "searches/NAME")
    told = set(re.findall(r"/api/v1/[\w/.]*", named.replace("concepts/ours-boat", "concepts/NAME")))
    paths = {path.replace("{id}", "ID").replace("{name}", "NAME") for path in api.json_api().openapi()["paths"]}
    assert paths <= told


# -- searches -------------------------------------------------------------------------------------------------------


def test_get_json_and_a_form_find_the_same(client: TestClient) -> None:
    query: dict[str, Any] = {"q": "a red boat -people camera:sony", "limit": 3}
    first = get(client, "search", **query)
    assert len(first["hits"]) == 3
    assert [hit["rank"] for hit in first["hits"]] == [1, 2, 3]
    assert first["more"]
    assert {line["kind"] for line in first["understood"]}
    for again in (
        client.post("/api/v1/search", json=query),
        client.post("/api/v1/search", files={name: (None, str(value)) for name, value in query.items()}),
    ):
        assert again.status_code == 200, again.text
        assert {**again.json(), "seconds": 0} == {**first, "seconds": 0}
    direct = services().searcher()
    from sightline.query.parser import parse

    assert [found.photo.content_id for found in direct.search(parse(query["q"]), limit=3).hits] == ids(first)


def test_a_query_of_any_letters_may_be_as_long_in_a_form_as_in_json(client: TestClient) -> None:
    for letter in ("船", "\U0001f6a4"):
        query = " ".join(f'folder:"{letter * 200}{number:02}"' for number in range(37))
        query = query.ljust(MAX_QUERY)
        for text, status in ((query, 200), (query + letter, 400)):
            for answer in (
                client.post("/api/v1/search", json={"q": text}),
                client.post("/api/v1/search", files={"q": (None, text)}),
            ):
                assert answer.status_code == status, answer.text


def test_pictures_are_terms_by_the_order_of_their_parts(client: TestClient, made: Path) -> None:
    red, blue = ((made / "photos" / name).read_bytes() for name in ("red.jpg", "blue.jpg"))
    known = {name: id_of(client, f"{name}.jpg") for name in ("red", "blue")}

    def post(*pictures: bytes, **fields: str) -> dict[str, Any]:
        files = [("picture", ("x.jpg", data)) for data in pictures]
        answer = client.post("/api/v1/search", files=[*files, *((k, (None, v)) for k, v in fields.items())])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert ids(post(red))[0] == known["red"]
    assert ids(post(blue))[0] == known["blue"]
    assert post(red)["query"] == "picture:1"
    assert ids(post(red, blue, q="picture:2^50"))[0] == known["blue"]
    assert post(red, blue, q="picture:2 OR picture:1")["query"] == "picture:2 OR picture:1"
    assert ids(post(blue, q="-picture:1 dedup:off"))[-1] == known["blue"]


def test_a_picture_dropped_on_the_page_can_be_named(client: TestClient, made: Path) -> None:
    name = services().uploads.put((made / "photos" / "blue.jpg").read_bytes())
    assert ids(get(client, "search", q=f"picture:{name}"))[0] == id_of(client, "blue.jpg")
    refused(client.get("/api/v1/search", params={"q": "picture:nobody"}), 422)


def test_pages_fit_together_and_a_library_that_moved_on_is_said(
    client: TestClient, library: Path, made: Path, tmp_path: Path, tiny_space: str
) -> None:
    whole = get(client, "search", q="boat dedup:off")
    generation = whole["generation"]
    pages = [
        get(client, "search", q="boat dedup:off", limit=1, offset=offset, generation=generation) for offset in range(4)
    ]
    assert [ids(page)[0] for page in pages] == ids(whole)
    assert [page["more"] for page in pages] == [True, True, True, False]
    assert [page["hits"][0]["rank"] for page in pages] == [1, 2, 3, 4]
    assert get(client, "search", q="boat", offset=10**12)["hits"] == []
    (tmp_path / "more").mkdir()
    Image.new("RGB", (64, 64), "yellow").save(tmp_path / "more" / "yellow.png")
    indexing.add(library, tmp_path / "more", tiny_space)
    said = refused(client.get("/api/v1/search", params={"q": "boat", "offset": 1, "generation": generation}), 409)
    assert said["generation"] == get(client, "status")["generation"] > generation


def test_pages_of_what_is_marked_fit_together_until_marks_change(client: TestClient) -> None:
    every = ids(get(client, "search", q="sort:name width:>0"))
    assert len(every) == 4
    query: dict[str, Any] = {"q": "-favourite:yes sort:name", "limit": 2}
    first = get(client, "search", **query)
    unmarked = get(client, "search", q="sort:name width:>0", limit=2)
    assert client.put(f"/api/v1/photos/{ids(first)[0]}/favourite").is_success
    # Without the check the third picture would be on neither page.
    second: dict[str, Any] = {"offset": 2, "generation": first["generation"]}
    said = refused(client.get("/api/v1/search", params={**query, **second}), 409)
    again = get(client, "search", **query)
    assert said["generation"] == again["generation"] > first["generation"]
    rest = get(client, "search", **query, offset=2, generation=again["generation"])
    assert ids(again) + ids(rest) == every[1:]
    # No mark changes what others find.
    get(client, "search", q="sort:name width:>0", limit=2, offset=2, generation=unmarked["generation"])


def test_a_mistake_in_the_query_is_said_with_its_place(client: TestClient) -> None:
    said = refused(client.get("/api/v1/search", params={"q": "boat camra:sony"}), 422)
    assert "camra" in said["detail"]
    assert "boat camra:sony"[said["start"] : said["end"]].startswith("camra")
    assert "camera" in said["suggestion"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "q"),
        ("q=a&limit=0", "minimum of 1"),
        ("q=a&limit=501", "maximum of 500"),
        ("q=a&limit=ten", "not of type 'integer'"),
        ("q=a&limit=" + "9" * 5000, "not of type 'integer'"),
        ("q=a&offset=-1", "minimum of 0"),
        ("q=a&q=b", "2 times"),
        ("q=a&limt=5", "Did you mean 'limit'?"),
        ("q=" + "a" * 8001, "too long"),
    ],
)
def test_what_is_not_as_the_document_says_is_refused(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/api/v1/search?{query}")
    assert said in refused(answer, 400)["detail"]
    assert len(answer.content) < 1500


def test_an_operation_without_parameters_refuses_any(client: TestClient) -> None:
    for path in ("status?q=a", "photos/1?limit=5", "openapi.json?v=1"):
        assert "There is no" in refused(client.get(f"/api/v1/{path}"), 400)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"q"', b'{"q": 1}', b'{"q": "a", "limit": NaN}', b'{"q": "a", "limit": true}',
        b'{"q": "\\ud800"}', b'\xff{"q": "a"}', b"[" * 100_000, b'{"q": "a", "limit": ' + b"1" * 10_000 + b"}",
        b'{"q": "a", "limit": 1.5}', b'{"q": "a", "pictures": []}', b'{"q": "a", "\\ud800": 1}',
        b'{"q": "a", "generation": null}', b'{"q": "a", "limit": "5"}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_as_the_document_says_is_refused(client: TestClient, body: bytes) -> None:
    refused(client.post("/api/v1/search", content=body, headers={"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"no form"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="picture"\r\n\r\nno file\r\n--x--\r\n'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\nboat'),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nboat\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n\xff\r\n--x--\r\n'),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\na\r\n' * 2 + b"--x--\r\n"),
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(client: TestClient, kind: str, body: bytes) -> None:
    refused(client.post("/api/v1/search", content=body, headers={"Content-Type": kind}), 400)


def test_what_is_no_picture_is_said(client: TestClient) -> None:
    for data in (b"<svg onload=alert(1)>", b""):
        said = refused(client.post("/api/v1/search", files={"picture": ("x.jpg", data)}), 422)
        assert "picture" in said["detail"].lower()


def test_a_body_too_large_is_refused_while_it_is_read(client: TestClient) -> None:
    read = 0

    def endless(start: bytes, chunk: bytes) -> Iterator[bytes]:
        nonlocal read
        read = 0
        yield start
        for _ in range(10**6):
            read += 1
            yield chunk

    head = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="x"\r\n\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    megabyte = bytes(1_000_000)
    for content, headers, most in (
        (endless(head, megabyte), form, MAX_PICTURE_BYTES // 10**6 + 2),
        (endless(b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n', b"a" * 1000), form, 40),
        (endless(b"", b"\r\n" + head + b"small\r\n--x"), form, 30),
        (endless(b"--x\r\nA: ", b"a" * 1000), form, 30),
        (endless(b'{"q": "', b"a" * 10_000), {"Content-Type": "application/json"}, 300),
    ):
        answer = _streamed(client, content, headers)
        assert answer.status_code in (400, 413), answer.text
        assert read <= most
    nine = [("picture", ("x.jpg", b"x"))] * 9
    assert "at most 8 pictures" in refused(client.post("/api/v1/search", files=nine), 413)["detail"]


def _streamed(client: TestClient, content: Iterator[bytes], headers: dict[str, str]) -> Answer:
    """POST a body of which the application takes as much as it likes; the test client would read all of it first."""
    import anyio

    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": next(content), "more_body": True}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/api/v1/search",
        "raw_path": b"/api/v1/search", "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in {"Host": "127.0.0.1", **serving.header(), **headers}.items()
        ],
    }  # fmt: skip

    async def call() -> None:
        await client.app(scope, receive, send)

    anyio.run(call)
    return httpx.Response(messages[0]["status"], headers=messages[0]["headers"], content=messages[1]["body"])


# -- pictures and what people say of them ---------------------------------------------------------------------------


def test_a_picture_is_known_by_its_id(client: TestClient, made: Path) -> None:
    id_ = id_of(client, "red.jpg")
    found = get(client, f"photos/{id_}")
    assert found["hash"] == hashlib.sha256((made / "photos" / "red.jpg").read_bytes()).hexdigest()
    assert {path["path"] for path in found["paths"]} == {"red.jpg", "trips/again.jpg"}
    assert (found["copies"], found["width"], found["camera_make"]) == (2, 160, "Sony")
    assert found["spaces"] == [space["name"] for space in get(client, "spaces")["spaces"]]
    for nobody in ("0", "99999", "-1", "x", "9" * 30, "1.0", "1/x"):
        refused(client.get(f"/api/v1/photos/{nobody}"), 404)


def test_a_path_that_is_no_text_is_given_as_bytes(
    client: TestClient, library: Path, tmp_path: Path, tiny_space: str
) -> None:
    (tmp_path / "odd").mkdir()
    try:
        Image.new("RGB", (64, 64), "yellow").save(os.fsencode(tmp_path / "odd") + b"/\xff.png", "PNG")
    except OSError:
        pytest.skip("this file system takes no such names")
    indexing.add(library, tmp_path / "odd", tiny_space)
    (hit,) = get(client, "search", q="ext:png")["hits"]
    assert (hit["path_b64"], "path" in hit) == ("/y5wbmc=", False)
    (path,) = get(client, f"photos/{hit['id']}")["paths"]
    assert path["path_b64"] == "/y5wbmc="


def test_a_thumbnail_is_a_small_jpeg_that_is_asked_for_again(client: TestClient) -> None:
    url = f"/api/v1/photos/{id_of(client, 'red.jpg')}/thumbnail"
    answer = client.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    picture = Image.open(io.BytesIO(answer.content))
    assert max(picture.size) <= 512
    assert not picture.getexif()
    for tag in (answer.headers["etag"], f'W/{answer.headers["etag"]}, "x"', "*"):
        again = client.get(url, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    assert client.head(url).headers["content-length"] == str(len(answer.content))


def test_tags_and_favourites_are_kept_and_can_be_searched(client: TestClient) -> None:
    id_ = id_of(client, "blue.jpg")
    answer = client.post(f"/api/v1/photos/{id_}/tags", json={"add": ["Sea", "holiday"]})
    assert answer.status_code == 200, answer.text
    assert {tag.lower() for tag in answer.json()["tags"]} == {"sea", "holiday"}
    assert ids(get(client, "search", q="tag:sea")) == [id_]
    (hit,) = get(client, "search", q="boat tag:sea")["hits"]
    assert len(hit["tags"]) == 2
    answer = client.post(f"/api/v1/photos/{id_}/tags", json={"remove": ["holiday"]})
    assert len(answer.json()["tags"]) == 1
    ((tag, count),) = ((found["name"].lower(), found["count"]) for found in get(client, "tags")["tags"])
    assert (tag, count) == ("sea", 1)
    for _ in range(2):
        assert client.put(f"/api/v1/photos/{id_}/favourite").json()["favourite"] is True
    assert ids(get(client, "search", q="favourite:yes")) == [id_]
    assert client.delete(f"/api/v1/photos/{id_}/favourite").json()["favourite"] is False
    assert get(client, f"photos/{id_}")["favourite"] is False
    refused(client.put("/api/v1/photos/999/favourite"), 404)
    refused(client.post(f"/api/v1/photos/{id_}/tags", json={}), 400)
    both = refused(client.post(f"/api/v1/photos/{id_}/tags", json={"add": ["new", "x"], "remove": ["X"]}), 422)
    assert "added and removed at once" in both["detail"]
    assert [tag["name"].lower() for tag in get(client, "tags")["tags"]] == ["sea"]


def test_searches_are_saved_by_name(client: TestClient) -> None:
    assert get(client, "searches") == {"searches": []}
    for name, path in (("boats", "boats"), ("trips/2023 é", "trips%2F2023%20%C3%A9")):
        url = f"/api/v1/searches/{path}"
        assert client.put(url, json={"q": "boat   -people"}).status_code == 201
        answer = client.put(url, json={"q": "boat  -people"})
        assert (answer.status_code, answer.json()["query"]) == (200, "boat -people")
        assert client.get(url).json()["name"] == name
    assert {saved["name"] for saved in get(client, "searches")["searches"]} == {"boats", "trips/2023 é"}
    assert client.delete("/api/v1/searches/boats").status_code == 204
    refused(client.delete("/api/v1/searches/boats"), 404)
    refused(client.get("/api/v1/searches/boats"), 404)
    refused(client.put("/api/v1/searches/x", json={"q": "camra:sony"}), 422)
    for nothing in ("dedup:off", " ", "dedup:off space:tiny"):
        said = refused(client.put("/api/v1/searches/x", json={"q": nothing}), 422)
        assert "nothing to save" in said["detail"]
    refused(client.get("/api/v1/searches/x"), 404)


def test_concepts_are_taught_by_name_and_searched(client: TestClient) -> None:
    assert get(client, "concepts") == {"concepts": []}
    few = refused(client.post("/api/v1/concepts/ours", json={"examples": [1, 2]}), 422)
    assert "at least 3 examples" in few["detail"]
    answer = client.post("/api/v1/concepts/Ours", json={"examples": [1, 2, 3.0], "counter_examples": [4]})
    assert answer.status_code == 200, answer.text
    taught = answer.json()
    assert (taught["name"], taught["examples"], taught["counter_examples"]) == ("Ours", [1, 2, 3], [4])
    assert client.post("/api/v1/concepts/ours", json={"without": [4]}).json()["counter_examples"] == []
    (listed,) = get(client, "concepts")["concepts"]
    assert get(client, "concepts/OURS") == listed
    # Four pictures are too few to learn from.
    assert "it takes 3. Index more pictures" in taught["note"]
    assert refused(client.get("/api/v1/search?q=concept:ours"), 422)["detail"].endswith("Index more pictures.")
    assert "Did you mean concept:Ours?" in refused(client.get("/api/v1/search?q=concept:our"), 422)["detail"]
    refused(client.post("/api/v1/concepts/ours", json={}), 400)
    refused(client.post("/api/v1/concepts/two%20words", json={"examples": [1, 2, 3]}), 422)
    refused(client.post("/api/v1/concepts/ours", json={"examples": [999]}), 422)
    assert client.delete("/api/v1/concepts/ours").status_code == 204
    refused(client.delete("/api/v1/concepts/ours"), 404)
    refused(client.get("/api/v1/concepts/ours"), 404)


# -- the library ----------------------------------------------------------------------------------------------------


def test_facets_count_under_the_filters(client: TestClient) -> None:
    every = get(client, "facets")
    assert every["total"] == 4
    assert {year["name"]: year["count"] for year in every["years"]} == {"2020": 2, "2021": 2}
    assert sum(camera["count"] for camera in every["cameras"]) == 4
    some = get(client, "facets", q="boat date:2021")
    assert some["total"] == 2
    assert [year["name"] for year in some["years"]] == ["2021"]
    for facet in ("years", "cameras", "lenses", "folders", "exts", "shapes", "tags"):
        for value in some[facet]:
            assert value["count"] <= 2
    assert (every["exts"], every["favourites"]) == ([{"name": "jpg", "count": 4}], 0)
    assert sum(shape["count"] for shape in every["shapes"]) == 4


def test_folders_are_those_right_in_one_with_counts_under_the_filters(client: TestClient) -> None:
    roots = get(client, "folders")
    assert roots["total"] == len(roots["folders"]) > 0
    root = roots["folders"][0]
    inside = get(client, "folders", under=root["path"], limit=1)
    assert inside["total"] == root["folders"]
    assert len(inside["folders"]) == min(1, inside["total"])
    for folder in (root, *inside["folders"]):
        assert get(client, "facets", q=folder["filter"])["total"] == folder["count"]
    assert get(client, "folders", under="nowhere")["folders"] == []
    narrower = get(client, "folders", q="boat date:2021")
    assert sum(each["count"] for each in narrower["folders"]) <= root["count"]


def test_tags_and_favourites_are_counted_among_the_facets(client: TestClient) -> None:
    client.post("/api/v1/photos/1/tags", json={"add": ["best"]})
    client.put("/api/v1/photos/2/favourite")
    every = get(client, "facets")
    assert (every["tags"], every["favourites"]) == ([{"name": "best", "count": 1}], 1)
    assert get(client, "facets", q="favourite:yes")["tags"] == []


def test_a_set_narrows_a_search_and_one_that_is_gone_is_said_in_a_sentence(client: TestClient) -> None:
    name = services().library().marks.keep_set([1, 3])
    assert sorted(hit["id"] for hit in get(client, "search", q=f"set:{name}")["hits"]) == [1, 3]
    assert get(client, "facets", q=f"-set:{name}")["total"] == 2
    for path in ("search", "facets"):
        said = refused(client.get(f"/api/v1/{path}", params={"q": "set:0123456789ab"}), 422)
        assert "no selection '0123456789ab' any more: the newest 200 are kept. Select" in said["detail"]


def test_state_and_spaces_are_told(client: TestClient, library: Path) -> None:
    status = get(client, "status")
    assert {name: status[name] for name in ("pictures", "photos", "missing", "failures", "indexing")} == {
        "pictures": 4, "photos": 5, "missing": 0, "failures": 1, "indexing": False,
    }  # fmt: skip
    assert status["last_run"]["state"] == "done"
    assert status["progress"] is None
    said = progress.Progress(os.getpid(), "2026", ("/a",), "indexing", 3, None, 1.5, "encode", 0, "2026")
    with locked(library):
        progress.write(library, said)
        now = get(client, "status")
    assert (now["indexing"], now["progress"]["done"], now["progress"]["total"]) == (True, 3, None)
    (space,) = get(client, "spaces")["spaces"]
    assert (space["dim"], space["has_text"], space["pictures"], space["default"]) == (32, True, 4, True)
    assert space["behind"] == 0


def test_labels_are_given_to_the_pictures_that_pass(client: TestClient) -> None:
    def post(**body: Any) -> Answer:
        return client.post("/api/v1/label", json=body)

    found = post(labels=["red", "blue"], q="date:2021", top=3).json()
    assert len(found["pictures"]) == 2
    for picture in found["pictures"]:
        assert {guess["label"] for guess in picture["labels"]} == {"red", "blue", None}
        assert sum(guess["probability"] for guess in picture["labels"]) == pytest.approx(1, abs=1e-4)
    page = post(labels=["red", "blue"], limit=1, offset=1, none=False).json()
    assert (len(page["pictures"]), page["more"]) == (1, True)
    assert not post(labels=["red", "blue"], limit=1, offset=3).json()["more"]
    refused(post(labels=["red", "Red"]), 422)
    refused(post(labels=["red"], templates=["no place"]), 422)
    refused(post(labels=["red"], q="boat"), 422)
    refused(post(labels=[]), 400)


def test_the_largest_request_in_order_is_not_too_large(client: TestClient) -> None:
    letter = "\U0001f6a4"
    length = MAX_SEARCH_NAME
    body = {
        "labels": [f"{number:04}{letter * (length - 4)}" for number in range(inputs.MAX_LABELS)],
        "templates": ["{}" + letter * (length - 2)] * inputs.MAX_TEMPLATES,
        "q": 'folder:"' + letter * 200 + '"',
    }
    for indent in (None, 8):
        text = json.dumps(body, indent=indent)
        answer = client.post("/api/v1/label", content=text, headers={"Content-Type": "application/json"})
        assert "tokens" in refused(answer, 422)["detail"]  # read, and then too long for the model
    answer = client.post("/api/v1/label", content=text + " " * 10**6, headers={"Content-Type": "application/json"})
    assert "bytes" in refused(answer, 413)["detail"]


def test_without_a_library_everything_says_so(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "none"))
    for path in ("status", "spaces", "facets", "tags", "searches", "photos/1", "photos/1/thumbnail", "search?q=boat"):
        assert "Index a folder first" in refused(client.get(f"/api/v1/{path}"), 503)["detail"]
    assert get(client, "openapi.json")["openapi"]
    Library.create(tmp_path / "empty").close()
    monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / "empty"))
    refused(client.get("/api/v1/search", params={"q": "boat"}), 503)
    assert (get(client, "status")["pictures"], get(client, "status")["last_run"]) == (0, None)
    assert get(client, "spaces") == {"spaces": []}


def test_a_space_without_words_or_without_its_model_says_so(
    client: TestClient, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, space, status in (
        ("wordless", models.picture_only(tmp_path / "timm"), 409),
        ("gone", models.clip_like(tmp_path / "clip", seed=3), 503),
    ):
        monkeypatch.setenv("SIGHTLINE_LIBRARY", str(tmp_path / name))
        indexing.add(tmp_path / name, made / "photos", space)
        shutil.rmtree(space.removeprefix("local-dir:"))
        refused(client.get("/api/v1/search", params={"q": "boat"}), status)
        refused(client.post("/api/v1/label", json={"labels": ["boat"]}), status)
        assert get(client, "search", q="like:1")["hits"][0]["id"] == 1


def test_what_nobody_foresaw_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = problem(ValueError("a secret")).response()
    assert answer.status_code == 500
    assert b"secret" not in bytes(answer.body)
    assert "a secret" in caplog.text


# -- who may ask, and for what --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "//api/v1/status", "/api/v1/search/"]
)
def test_an_unknown_address_is_a_problem_and_never_the_page(client: TestClient, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert "/api/v1/openapi.json" in refused(client.request(method, BASE + path), 404)["detail"]


def test_a_wrong_method_says_which_are_right(client: TestClient) -> None:
    for path, allowed in (
        ("search", "GET, HEAD, POST"),
        ("photos/1/favourite", "DELETE, PUT"),
        ("status", "GET, HEAD"),
    ):
        answer = client.request("PATCH", f"/api/v1/{path}")
        refused(answer, 405)
        assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed
    for path in ("status", "search?q=boat", "openapi.json", "photos/1"):
        assert client.head(f"/api/v1/{path}").status_code == 200


def test_other_sites_pages_get_nothing_and_change_nothing(client: TestClient) -> None:
    asked = (
        ("GET", "search?q=boat", None), ("POST", "search", {"q": "boat"}), ("PUT", "photos/1/favourite", None),
        ("POST", "photos/1/tags", {"add": ["x"]}), ("PUT", "searches/x", {"q": "boat"}), ("GET", "openapi.json", None),
    )  # fmt: skip
    for method, path, body in asked:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"},
                        {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:9999"}):  # fmt: skip
            answer = client.request(method, f"/api/v1/{path}", json=body, headers=headers)
            refused(answer, 403)
            assert "access-control-allow-origin" not in answer.headers
        refused(client.request(method, f"/api/v1/{path}", json=body, headers={"Host": "evil.example"}), 400)
        own = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
        assert client.request(method, f"/api/v1/{path}", json=body, headers=own).is_success
    assert client.get("/metrics", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_write_takes_json_and_nothing_that_a_form_can_send(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = client.post("/api/v1/photos/1/tags", content=b'{"add": ["x"]}', headers={"Content-Type": kind})
        refused(answer, 415)
        assert answer.headers["accept"] == "application/json"
    assert get(client, "tags") == {"tags": []}


def test_metrics_count_what_was_asked(client: TestClient) -> None:
    def number(text: str, line: str) -> float:
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0

    before = client.get("/metrics").text
    get(client, "search", q="boat")
    client.get("/api/v1/photos/7777")
    client.get("/api/v1/elsewhere")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = answer.text
    assert number(after, "sightline_pictures") == 4
    assert number(after, "sightline_photos") == 5
    assert number(after, "sightline_failures") == 1
    assert number(after, "sightline_generation") == get(client, "status")["generation"]
    for line in (
        "sightline_searches_total",
        "sightline_search_seconds_count",
        'sightline_search_seconds_bucket{le="+Inf"}',
        'sightline_http_requests_total{route="/api/v1/search",status="200"}',
        'sightline_http_requests_total{route="/api/v1/photos/{id}",status="404"}',
        'sightline_http_requests_total{route="/api",status="404"}',
        'sightline_http_requests_total{route="/metrics",status="200"}',
    ):
        assert number(after, line) == number(before, line) + 1, line
