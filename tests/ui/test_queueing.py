"""Queues and limits of requests: whose turn it is, what is refused, and what is not waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search_ui.server import limits
from search_ui.server.limits import Kind, Limits
from search_ui.server.queueing import BusyError, Gate
from store.time_limit import TimeLimitError, check


def test_clients_take_turns_and_none_has_every_place() -> None:
    async def scene() -> list[str]:
        gate, served = Gate(3, waiting=100), list[str]()

        async def ask(client: str) -> None:
            await gate.enter(client)
            served.append(client)
            await asyncio.sleep(0.01)
            gate.leave(client)

        greedy = [asyncio.create_task(ask("greedy")) for _ in range(20)]
        await asyncio.sleep(0)
        assert served == ["greedy"] * 2
        others = [asyncio.create_task(ask(name)) for name in ("ann", "ben", "ann")]
        await asyncio.gather(*greedy, *others)
        return served

    served = asyncio.run(scene())
    assert len(served) == 23
    # The place that no greedy client takes, then one turn each.
    assert {"ann", "ben"} <= set(served[2:5])
    assert served.index("ann") < 4
    assert [name for name in served[:8] if name != "greedy"] == ["ann", "ben", "ann"]


def test_a_full_queue_refuses_and_who_leaves_it_takes_no_place() -> None:
    async def scene() -> None:
        gate = Gate(2, waiting=2)
        await gate.enter("a")
        waiting = [asyncio.create_task(gate.enter("a")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await gate.enter("a")
        waiting[0].cancel()
        await asyncio.sleep(0.01)
        gate.leave("a")
        await waiting[1]
        await gate.enter("b")
        gate.leave("a")
        gate.leave("b")
        await gate.enter("b")

    asyncio.run(scene())


def test_who_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_ui.server.queueing.WAIT_SECONDS", 0.05)

    async def scene() -> None:
        gate = Gate(2, waiting=2)
        await gate.enter("a")
        with pytest.raises(BusyError):
            await gate.enter("a")
        gate.leave("a")
        await gate.enter("a")

    asyncio.run(scene())


# -- requests -------------------------------------------------------------------------------------------------------


async def ask(
    of: Limits, app: ASGIApp, path: str = "/thumb/a.jpg", *, body: Sequence[bytes] = (b"",), pause: float = 0.0,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """Ask an application through the limits, with a body that comes in parts; its answer."""
    chunks, sent = list(body), list[Message]()

    async def receive() -> Message:
        if not chunks:
            await asyncio.sleep(3600)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "headers": named, "client": ("127.0.0.1", 1),
        "query_string": b"",
    }  # fmt: skip
    await of.answer(app, scope, receive, send)
    start = sent[0]
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], told, b"".join(message.get("body", b"") for message in sent[1:])


def threaded(work: Callable[[], object]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        await run_in_threadpool(work)
        await PlainTextResponse("done")(scope, receive, send)

    return app


def run(scene: Awaitable[Any]) -> Any:
    async def whole() -> Any:
        return await scene

    return asyncio.run(whole())


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of requests of which little is done, and soon."""
    kind = Kind("short", 2, 1, 0.2)
    monkeypatch.setattr(limits, "SHORT", kind)
    monkeypatch.setattr(limits, "KINDS", (kind, limits.SEARCHES, limits.BODIES))
    monkeypatch.setattr(limits, "GRACE_SECONDS", 0.2)
    return kind


def test_work_that_overruns_is_answered_503_and_holds_its_place_until_it_ends(short: Kind) -> None:
    blocked, of = threading.Event(), Limits()

    async def scene() -> None:
        first = asyncio.create_task(ask(of, threaded(blocked.wait)))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(ask(of, threaded(lambda: None)))  # a client has all places but one
        await asyncio.sleep(0)
        status, headers, text = await ask(of, threaded(lambda: None))
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"too much to do" in text
        status, headers, text = await first
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"longer than the 0.2 seconds" in text
        await asyncio.sleep(0.1)
        assert not waiting.done()
        blocked.set()
        assert (await waiting)[0] == 200

    began = time.monotonic()
    run(scene())
    assert time.monotonic() - began < 20


def test_work_that_looks_at_the_clock_stops(short: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GRACE_SECONDS", 60)  # a busy machine wakes it late
    stopped = threading.Event()

    def work() -> None:
        try:
            while True:
                time.sleep(0.01)
                check()
        except TimeLimitError:
            stopped.set()
            raise

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await run_in_threadpool(work)
        except TimeLimitError as error:
            await PlainTextResponse(str(error), 503)(scope, receive, send)

    status, _, text = run(ask(Limits(), app))
    assert stopped.is_set()
    assert (status, b"0.2 seconds" in text) == (503, True)


def test_an_answer_that_has_begun_is_sent_to_its_end(short: Kind) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.6)
        await send({"type": "http.response.body", "body": b"late"})

    assert run(ask(Limits(), app)) == (200, {}, b"late")


def test_what_is_made_while_it_is_sent_has_no_limit_of_time(short: Kind) -> None:
    def made() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(0.1)
            check()
            yield b"part"

    assert run(ask(Limits(), StreamingResponse(made())))[::2] == (200, b"part" * 4)


def test_a_request_without_a_body_is_not_late_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.1)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await run_in_threadpool(time.sleep, 0.3)  # as hashing a large file does, before any of it is sent
        await StreamingResponse(parts())(scope, receive, send)

    def parts() -> Iterator[bytes]:
        for _ in range(4):
            time.sleep(0.02)
            yield b"part"

    assert run(ask(Limits(), app))[::2] == (200, b"part" * 4)


def test_a_slow_client_may_send_all_that_a_search_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    late = 0.0
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + late))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def slow() -> Message:
            nonlocal late
            late += 9
            return await receive()

        size = len(await Request(scope, slow).body())
        await PlainTextResponse(str(size))(scope, receive, send)

    # 200 MB at 28 kB in a second.
    parts = [b"x" * 250_000] * 800
    assert run(ask(Limits(), app, body=parts, headers={"content-length": "200000000"}))[::2] == (200, b"200000000")


def test_a_body_that_does_not_come_is_answered_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    length = {"content-length": "30"}
    parts = [b"0123456789"] * 3
    status, headers, text = run(ask(Limits(), threaded(lambda: None), body=parts, pause=0.15, headers=length))
    assert (status, headers["connection"]) == (408, "close")
    assert b"too long to come" in text
    assert run(ask(Limits(), threaded(lambda: None), body=parts, headers=length))[0] == 200
    # In the form of the interface, where it is asked.
    status, headers, text = run(
        ask(Limits(), threaded(lambda: None), "/api/v1/search", body=parts, pause=0.15, headers=length)
    )
    assert (status, headers["content-type"]) == (408, "application/problem+json")


def test_thumbnails_do_not_wait_behind_searches() -> None:
    blocked, of = threading.Event(), Limits()

    async def scene() -> None:
        searches = [asyncio.create_task(ask(of, threaded(blocked.wait), "/api/v1/search")) for _ in range(40)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        for path in ("/thumb/a.jpg", "/api/v1/photos/1/thumbnail", "/healthz", "/metrics", "/points/land.bin"):
            assert (await ask(of, threaded(lambda: None), path))[0] == 200
        assert time.monotonic() - began < 5
        # Another client has a place among the searches, too.
        assert (await ask(of, threaded(lambda: None), "/api/v1/status", headers={"user-agent": "other"}))[0] == 200
        blocked.set()
        assert {status for status, _, _ in await asyncio.gather(*searches)} == {200}

    run(scene())
