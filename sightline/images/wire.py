"""What goes between a worker and the program.

JSON, and never pickles: a file may have taken the worker over.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import fields
from multiprocessing.connection import Connection
from typing import Any, Final, get_args, get_type_hints

from sightline.images.errors import DecodeError, TooLargeError, UnsupportedError
from sightline.metadata.facts import Facts

LONGEST: Final = 32 * 2**20
"""Bytes of one message: sidecars, facts and ICC profiles are far smaller."""

_ERRORS: Final = {kind.__name__: kind for kind in (DecodeError, TooLargeError, UnsupportedError)}
_STAGES: Final = ("read", "open", "decode")
_LONGEST_REASON: Final = 2000

Message = dict[str, Any]


class NonsenseError(Exception):
    """A worker said what it can't mean."""


def nonsense(error: Exception) -> DecodeError:
    """What is to be said of a file of which a worker said what can't be."""
    return DecodeError("decode", f"its decoder gave an answer that can't be ({error})")


def send(channel: Connection, message: Message) -> None:
    """Send one message.

    Raises:
        OSError: nobody listens.
    """
    channel.send_bytes(json.dumps(message).encode("ascii"))


def receive(channel: Connection) -> Message:
    """Wait for the next message.

    Raises:
        EOFError, OSError: the other side is gone, or sends more than `LONGEST`.
        NonsenseError: it is no JSON object.
    """
    try:
        message = json.loads(channel.recv_bytes(LONGEST))
    except (ValueError, RecursionError) as error:
        raise NonsenseError("it is no JSON") from error
    if not isinstance(message, dict):
        raise NonsenseError("it is no JSON object")
    return message


def text_of(data: bytes) -> str:
    """Bytes as a string of JSON."""
    return base64.b64encode(data).decode("ascii")


def bytes_of(text: object) -> bytes:
    """The bytes of `text_of`.

    Raises:
        NonsenseError: it is none.
    """
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise NonsenseError("it is no base64") from error


def error_to_json(error: DecodeError) -> Message:
    """A `DecodeError` to send."""
    return {"kind": type(error).__name__, "stage": error.stage, "reason": error.reason[:_LONGEST_REASON]}


def error_of_json(message: object) -> DecodeError:
    """The error of `error_to_json`.

    Raises:
        NonsenseError: it is none.
    """
    if not isinstance(message, dict) or message.get("stage") not in _STAGES:
        raise NonsenseError("it is no error")
    kind = _ERRORS.get(str(message.get("kind")), DecodeError)
    return kind(message["stage"], str(message.get("reason"))[:_LONGEST_REASON])


def facts_to_json(facts: Facts) -> Message:
    """Facts to send."""
    return {name: getattr(facts, name) for name in _TYPES}


def facts_of_json(message: object) -> Facts:
    """The facts of `facts_to_json`, each of the type that it has to have.

    Raises:
        NonsenseError: they are none.
    """
    if not isinstance(message, dict) or message.keys() != _TYPES.keys():
        raise NonsenseError("these are no facts")
    found: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in message.items()
    }
    for name, value in found.items():
        kinds = _TYPES[name]
        is_right = type(value) in kinds and (not isinstance(value, tuple) or all(type(each) is str for each in value))
        if not is_right:
            raise NonsenseError(f"the fact {name} is of the wrong type")
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise NonsenseError(f"the fact {name} is too large a number")
    if not 1 <= found["width"] <= _LARGEST_SIDE or not 1 <= found["height"] <= _LARGEST_SIDE:
        raise NonsenseError("a side is too long")
    return Facts(**found)


def pair_of(value: object) -> tuple[int, int]:
    """Two whole numbers from 1 on: height and width, px.

    Raises:
        NonsenseError: these are none.
    """
    match value:
        case [int(first), int(second)] if 1 <= first <= _LARGEST_SIDE and 1 <= second <= _LARGEST_SIDE:
            return first, second
    raise NonsenseError("this is no height and width")


def whole_numbers(value: object, count: int) -> list[int]:
    """So many whole numbers, none of which takes more than 64 bits.

    Raises:
        NonsenseError: these are none.
    """
    if not isinstance(value, list) or len(value) != count:
        raise NonsenseError(f"these are not {count} numbers")
    for each in value:
        if type(each) is not int or abs(each) >= 2**64:
            raise NonsenseError("this is no whole number")
    return value


def digest_of(text: object) -> bytes:
    """A SHA-256 by its hexadecimal digits.

    Raises:
        NonsenseError: it is none.
    """
    if not isinstance(text, str) or not re.fullmatch(r"[0-9a-f]{64}", text):
        raise NonsenseError("this is no SHA-256")
    return bytes.fromhex(text)


_LARGEST_SIDE: Final = 2**31
_LARGEST_NUMBER: Final = 2**63 - 1  # that a column of the library holds


def _types() -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(Facts)
    found: dict[str, tuple[type, ...]] = {}
    for each in fields(Facts):
        hint = hints[each.name]
        kinds = tuple(kind for kind in get_args(hint) if isinstance(kind, type)) if get_args(hint) else (hint,)
        if hint == tuple[str, ...]:
            kinds = (tuple,)
        # A whole number may stand for one that need not be, as of seconds.
        found[each.name] = (*kinds, int) if float in kinds else kinds
    return found


_TYPES: Final = _types()
