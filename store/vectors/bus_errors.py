"""Zeros for what is gone from a mapped file, in place of a process that ends: on Linux.

The kernel sends SIGBUS to who reads beyond the end of a file that was cut short after it was mapped, or where the disk
fails. A handler in machine code puts pages of zeros there; Wayland's library does the same for buffers that it shares
(`wl_shm_buffer_begin_access`). For any other address the handler that was there before goes first. Elsewhere this does
nothing: Windows lets nobody cut a mapped file, on macOS the process ends.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import signal
import sys
import threading
import weakref
from functools import cache
from typing import Any, Final

_SLOTS: Final = 256  # mappings that are known at once: three for each space
_IS_KNOWN: Final = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
# Of Linux on these processors: asm-generic/mman.h, asm-generic/signal.h, and siginfo_t's si_addr.
_READ, _PRIVATE_FIXED_ANONYMOUS, _ADDRESS_AT, _WANTS_INFO = 1, 0x02 | 0x10 | 0x20, 16, 4
_HANDLER: Final = "on_bus_error"

# How often it happened, then the first and the last address of each mapping, 0 for none.
_table: Final = (ctypes.c_uint64 * (1 + 2 * _SLOTS))()
_lock: Final = threading.Lock()


class _Action(ctypes.Structure):
    """`struct sigaction` of glibc and musl on 64 bits."""

    _fields_ = (
        ("handler", ctypes.c_void_p), ("mask", ctypes.c_uint64 * 16), ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )  # fmt: skip


def count() -> int:
    """How often something was read in this process that was not there."""
    return int(_table[0])


def outlive(file: mmap.mmap, address: int) -> None:
    """Have reading a mapping, at this address, never end the process."""
    if not _IS_KNOWN:
        return
    with _lock:
        free = next((slot for slot in range(1, len(_table), 2) if not _table[slot]), None)
        if free is None:
            return
        _install()
        _table[free + 1] = address + len(file)
        _table[free] = address
    weakref.finalize(file, _forget, free).atexit = False


def _forget(slot: int) -> None:
    _table[slot] = 0


def _install() -> None:
    """Put the handler in its place, where it is not: something else may have taken that."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = _Action()
    libc.sigaction(signal.SIGBUS, None, ctypes.byref(before))
    code = _compiled()
    if before.handler == code.handler:
        return
    ctypes.memmove(ctypes.byref(code.before), ctypes.byref(before), ctypes.sizeof(before))
    libc.sigaction(signal.SIGBUS, ctypes.byref(_Action(handler=code.handler, flags=_WANTS_INFO)), None)


class _Code:
    """The handler's address, and the action that it gives way to."""

    def __init__(self) -> None:
        self.before = _Action()
        libc = ctypes.CDLL(None)
        mapping, setting = (_address_of(getattr(libc, name)) for name in ("mmap", "sigaction"))
        self._engine = _compile(_source(mapping, setting, ctypes.addressof(self.before)))
        self.handler: int = self._engine.get_function_address(_HANDLER)


@cache
def _compiled() -> _Code:
    return _Code()


def _address_of(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _compile(source: str) -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(source), machine)
    engine.finalize_object()
    return engine


def _source(mapping: int, setting: int, before: int) -> str:
    """LLVM's code of the handler: it searches the table, and calls mmap or sigaction."""
    from llvmlite import ir

    byte, number, whole = ir.IntType(8), ir.IntType(64), ir.IntType(32)
    pointer = byte.as_pointer()
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [whole, pointer, pointer]), _HANDLER)
    start, look, inside, after, zeros, other = (
        function.append_basic_block(name) for name in ("start", "look", "inside", "after", "zeros", "other")
    )

    def at(address: int, kind: Any) -> Any:
        return ir.Constant(number, address).inttoptr(kind)

    build = ir.IRBuilder(start)
    place = build.gep(function.args[1], [ir.Constant(number, _ADDRESS_AT)])
    address = build.load(build.bitcast(place, number.as_pointer()))
    table = at(ctypes.addressof(_table), number.as_pointer())
    build.branch(look)

    build.position_at_end(look)
    slot = build.phi(number)
    slot.add_incoming(ir.Constant(number, 1), start)
    first = build.load(build.gep(table, [slot]))
    end = build.load(build.gep(table, [build.add(slot, ir.Constant(number, 1))]))
    is_here = build.and_(build.icmp_unsigned(">=", address, first), build.icmp_unsigned("<", address, end))
    build.cbranch(build.and_(is_here, build.icmp_unsigned("!=", first, ir.Constant(number, 0))), zeros, inside)

    build.position_at_end(inside)
    following = build.add(slot, ir.Constant(number, 2))
    slot.add_incoming(following, inside)
    build.cbranch(build.icmp_unsigned("<", following, ir.Constant(number, 1 + 2 * _SLOTS)), look, other)

    build.position_at_end(zeros)
    counter = build.gep(table, [ir.Constant(number, 0)])
    build.store(build.add(build.load(counter), ir.Constant(number, 1)), counter)
    page = build.and_(address, ir.Constant(number, ~(mmap.PAGESIZE - 1)))
    kind = ir.FunctionType(pointer, [pointer, number, whole, whole, whole, number])
    build.call(
        build.inttoptr(ir.Constant(number, mapping), kind.as_pointer()),
        [build.inttoptr(page, pointer), build.sub(end, page), ir.Constant(whole, _READ),
         ir.Constant(whole, _PRIVATE_FIXED_ANONYMOUS), ir.Constant(whole, -1), ir.Constant(number, 0)],
    )  # fmt: skip
    build.branch(after)

    build.position_at_end(other)  # what is read again comes to the handler of before
    kind = ir.FunctionType(whole, [whole, pointer, pointer])
    nothing = ir.Constant(pointer, None)
    build.call(
        build.inttoptr(ir.Constant(number, setting), kind.as_pointer()),
        [function.args[0], at(before, pointer), nothing],
    )
    build.branch(after)

    build.position_at_end(after)
    build.ret_void()
    return str(module)
