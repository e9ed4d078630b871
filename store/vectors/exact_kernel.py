"""The kernel of `store.vectors.exact`, as LLVM's intermediate code.

Written out, not compiled from Python: numba would have to be imported, with scipy, for 0.9 s of processor time and
100 MB; and it would have to be free to reorder the sums, which a processor with other registers then does otherwise.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import llvmlite.binding as llvm
from llvmlite import ir

from store.vectors.kernels import AHEAD, LINE

_INT16, _INT32, _INT64, _SINGLE = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_NAME: Final = "cosines"
_ARGUMENTS: Final = ("matrix", "rows", "queries", "out", "count", "wanted", "dim", "first", "last")
_made: Final[list[Any]] = []  # what holds the machine code, as long as the process runs


def converts() -> bool:
    """Whether this processor has an instruction that makes single precision of half."""
    return bool(llvm.get_host_cpu_features().get("f16c", False))


def compiled(group: int, lanes: int, *, converting: bool) -> Callable[..., None]:
    """Compile it for this processor: a function of four addresses and five numbers, see `_ARGUMENTS`.

    Args:
        group: how many queries share each pass over a row.
        lanes: how many sums a query has, a power of two.
        converting: whether to use the processor's instruction for half precision, see `converts`.
    """
    with suppress(RuntimeError):  # newer versions need no call, and refuse it
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(str(_Builder(group, lanes, converting=converting).module))
    module.verify()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _made.append(engine)
    # ctypes lets go of Python's lock while it runs.
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(_ARGUMENTS))
    return signature(engine.get_function_address(_NAME))


class _Builder:
    """Builds the function: for each row and each group of queries a loop over the row's numbers."""

    def __init__(self, group: int, lanes: int, *, converting: bool) -> None:
        self.group, self.lanes, self.converting = group, lanes, converting
        self.module = ir.Module(name=_NAME)
        self.module.triple = llvm.get_default_triple()
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [_INT64] * len(_ARGUMENTS)), _NAME)
        self.given = dict(zip(_ARGUMENTS, function.args, strict=True))
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _INT32, _INT32, _INT32])
        self._prefetch = ir.Function(self.module, kind, "llvm.prefetch.p0")
        self.code = ir.IRBuilder(function.append_basic_block())
        with self._loop(self.given["first"], self.given["last"], 1) as place:
            self._row(place)
        self.code.ret_void()

    @contextmanager
    def _loop(self, first: Any, last: Any, step: int) -> Iterator[Any]:
        """What is built in the `with` block runs for each number from first to last, which is given."""
        code, function = self.code, self.code.function
        head, body, end = (function.append_basic_block(name) for name in ("head", "body", "end"))
        before = code.block
        code.branch(head)
        code.position_at_end(head)
        number = code.phi(_INT64)
        number.add_incoming(first, before)
        code.cbranch(code.icmp_signed("<", number, last), body, end)
        code.position_at_end(body)
        yield number
        number.add_incoming(code.add(number, _INT64(step)), code.block)
        code.branch(head)
        code.position_at_end(end)

    def _sums(self, first: Any, last: Any, step: int, begun: list[Any], added: Callable[[Any], list[Any]]) -> list[Any]:
        """Sums, from `begun` on, of what `added` builds for each number from first to last."""
        code = self.code
        before = code.block
        head, body, end = (code.function.append_basic_block(name) for name in ("head", "body", "end"))
        code.branch(head)
        code.position_at_end(head)
        number, *sums = (code.phi(value.type) for value in (first, *begun))
        for phi, value in zip((number, *sums), (first, *begun), strict=True):
            phi.add_incoming(value, before)
        code.cbranch(code.icmp_signed("<", number, last), body, end)
        code.position_at_end(body)
        # Apart, and so rounded apart: no processor may make one instruction of the two.
        grown = [code.fadd(total, product) for total, product in zip(sums, added(number), strict=True)]
        for phi, value in zip((number, *sums), (code.add(number, _INT64(step)), *grown), strict=True):
            phi.add_incoming(value, code.block)
        code.branch(head)
        code.position_at_end(end)
        return sums

    def _row(self, place: Any) -> None:
        code, given = self.code, self.given
        bytes_of_row = code.mul(given["dim"], _INT64(2))
        ahead = code.add(place, _INT64(AHEAD))
        with code.if_then(code.icmp_signed("<", ahead, given["last"])):
            begin = code.add(given["matrix"], code.mul(self._load(_INT64, given["rows"], ahead), bytes_of_row))
            with self._loop(_INT64(0), bytes_of_row, LINE) as byte:
                address = code.inttoptr(code.add(begin, byte), ir.IntType(8).as_pointer())
                code.call(self._prefetch, [address, _INT32(0), _INT32(3), _INT32(1)])
        row = code.add(given["matrix"], code.mul(self._load(_INT64, given["rows"], place), bytes_of_row))
        with self._loop(_INT64(0), given["count"], self.group) as query:
            self._scores(row, query, place)

    def _scores(self, row: Any, query: Any, place: Any) -> None:
        """The dot products of a row with the queries of a group."""
        code, given, lanes = self.code, self.given, self.lanes
        bytes_of_query = code.mul(given["dim"], _INT64(4))
        queries = [
            code.add(given["queries"], code.mul(code.add(query, _INT64(at)), bytes_of_query))
            for at in range(self.group)
        ]

        def products(kind: Any, wide: Any, halves: Any) -> Callable[[Any], list[Any]]:
            def at(number: Any) -> list[Any]:
                value = self._single(self._load(halves, row, number, 2), wide, kind)
                return [code.fmul(value, self._load(kind, query, number, 4)) for query in queries]

            return at

        singles, integers, halves = (ir.VectorType(kind, lanes) for kind in (_SINGLE, _INT32, _INT16))
        whole = code.and_(given["dim"], _INT64(-lanes))
        wide = self._sums(
            _INT64(0), whole, lanes, [ir.Constant(singles, None)] * self.group, products(singles, integers, halves)
        )
        totals = self._sums(
            whole, given["dim"], 1, [self._total(each) for each in wide], products(_SINGLE, _INT32, _INT16)
        )
        for at, total in enumerate(totals):
            number = code.add(query, _INT64(at))
            with code.if_then(code.icmp_signed("<", number, given["count"])):
                where = code.add(code.mul(number, given["wanted"]), place)
                address = code.add(given["out"], code.mul(where, _INT64(4)))
                code.store(total, code.inttoptr(address, _SINGLE.as_pointer()), align=4)

    def _load(self, kind: Any, base: Any, number: Any, size: int = 8) -> Any:
        """Load a value that begins `number` values of `size` bytes behind an address."""
        code = self.code
        address = code.add(base, code.mul(number, _INT64(size)))
        return code.load(code.inttoptr(address, kind.as_pointer()), align=size)

    def _single(self, half: Any, integers: Any, singles: Any) -> Any:
        """IEEE 754 half to single: by an instruction, or by integers, to the same effect.

        Where a processor lacks the instruction, LLVM calls for a library that is not there. The exponent's bias grows
        by 112; what is below 2**-14 (subnormal) has none and counts in steps of 2**-24.
        """
        code = self.code
        if self.converting:
            kind = ir.VectorType(ir.HalfType(), half.type.count) if half.type != _INT16 else ir.HalfType()
            return code.fpext(code.bitcast(half, kind), singles)

        def constant(kind: Any, value: float) -> Any:
            return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)

        bits = code.zext(half, integers)
        size = code.and_(bits, constant(integers, 0x7FFF))
        normal = code.add(code.shl(size, constant(integers, 13)), constant(integers, 112 << 23))
        small = code.fmul(code.sitofp(size, singles), constant(singles, 2.0**-24))
        is_small = code.icmp_unsigned("<", size, constant(integers, 0x0400))
        value = code.select(is_small, code.bitcast(small, integers), normal)
        sign = code.shl(code.and_(bits, constant(integers, 0x8000)), constant(integers, 16))
        return code.bitcast(code.or_(value, sign), singles)

    def _total(self, sums: Any) -> Any:
        """The sum of a vector, in pairs that lie half of it apart."""
        code, half = self.code, self.lanes // 2
        while half:
            order = [(at + half) % self.lanes for at in range(self.lanes)]
            moved = code.shuffle_vector(sums, sums, ir.Constant(ir.VectorType(_INT32, self.lanes), order))
            sums, half = code.fadd(sums, moved), half // 2
        return code.extract_element(sums, _INT32(0))
