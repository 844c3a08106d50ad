"""An interpreter of the few pickle opcodes that published image batches are made of.

It builds plain values and nothing else: a name that a pickle refers to stays a name, and what the
pickle would call stays a description of the call. Names other than numpy's array constructors are
refused as soon as they are read. Opcodes: Python's `pickletools`, protocols 0 to 2 as Python 2
wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.examples import Array

MAX_BYTES = 256 * 2**20
"""The largest published batch, CIFAR-100's training file, has 155 MB."""
NAMES = frozenset(
    {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
)
Batch = dict[bytes, Any]
TYPES = {b"u1": "u1", b"i4": "<i4", b"i8": "<i8"}
"""The array types that batches use."""


@dataclass(frozen=True)
class Name:
    """Something that a pickle refers to and that is never looked up."""

    module: str
    name: str


@dataclass
class Call:
    """Something that a pickle would call, and the state that it would give to the result."""

    name: Name
    args: tuple[Any, ...]
    state: Any = None


class _RefusedError(ValueError):
    """The pickle holds what no image batch needs."""


def read_batch(path: Path) -> Batch:
    """A pickled table of lists, bytes, numbers and arrays of bytes or integers.

    Text comes out as bytes, as Python 2 wrote it.

    Raises:
        CorruptError: too big, cut short, or with anything else in it; nothing was executed.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise CorruptError(f"{path}: has {size} bytes, expected at most {MAX_BYTES}")
        return _table(_Machine(path.read_bytes()).run())
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror}") from error
    except _RefusedError as error:
        raise CorruptError(f"{path}: not a pickled image batch: {error}") from error
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{path}: not a pickled image batch: damaged or cut short") from error


class _Machine:
    """The pickle machine: a stack, marks on it and a memo."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Interpret to the end and give the value left on the stack."""
        while (code := self.take(1)) != b".":
            if code in _SIZED:
                self.stack.append(_SIZED[code](self))
            elif code in _CONSTANTS:
                self.stack.append(_CONSTANTS[code]())
            elif code in _ACTIONS:
                _ACTIONS[code](self)
            else:
                raise _RefusedError(f"opcode {code!r} at byte {self.at - 1}")
        return self.stack.pop()

    def take(self, n: int) -> bytes:
        """The next n bytes; nothing is allocated for a length that the file does not have."""
        if not 0 <= n <= len(self.raw) - self.at:
            raise ValueError("cut short")
        self.at += n
        return self.raw[self.at - n : self.at]

    def line(self) -> bytes:
        """The bytes up to the next line end."""
        end = self.raw.index(b"\n", self.at)
        return self.take(end - self.at + 1)[:-1]

    def number(self, n: int, *, signed: bool = False) -> int:
        """A little-endian integer of n bytes."""
        return int.from_bytes(self.take(n), "little", signed=signed)

    def above_mark(self) -> list[Any]:
        """Pop what lies above the last mark."""
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    # -- what opcodes do ----------------------------------------------------------------------

    def protocol(self) -> None:
        version = self.number(1)
        if version > 2:
            raise _RefusedError(f"protocol {version}, expected at most 2")

    def name(self) -> None:
        module, name = self.line().decode("ascii"), self.line().decode("ascii")
        if (module, name) not in NAMES:
            raise _RefusedError(f"it refers to '{module}.{name}', which is no part of an array")
        self.stack.append(Name(module, name))

    def call(self) -> None:
        args, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(args, tuple):
            raise _RefusedError("it calls what is no array constructor")
        self.stack.append(Call(name, args))

    def build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call):
            raise _RefusedError("it sets the state of what is no array")
        self.stack[-1].state = state

    def pack(self, n: int) -> None:
        if n > len(self.stack):
            raise ValueError("too few items")
        items = tuple(self.stack[len(self.stack) - n :])
        del self.stack[len(self.stack) - n :]
        self.stack.append(items)

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise _RefusedError("it appends to what is no list")
        self.stack[-1] += items

    def update(self, items: list[Any]) -> None:
        table = self.stack[-1]
        if not isinstance(table, dict) or not all(isinstance(key, bytes) for key in items[::2]):
            raise _RefusedError("it fills what is no table of named values")
        table.update(zip(items[::2], items[1::2], strict=True))

    def pop(self, n: int) -> list[Any]:
        return [self.stack.pop() for _ in range(n)][::-1]

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]


_CONSTANTS: Mapping[bytes, Callable[[], Any]] = {
    b"N": lambda: None,
    b"\x88": lambda: True,
    b"\x89": lambda: False,
    b"}": dict,
    b"]": list,
    b")": tuple,
}
_SIZED: Mapping[bytes, Callable[[_Machine], Any]] = {
    b"K": lambda m: m.number(1),
    b"M": lambda m: m.number(2),
    b"J": lambda m: m.number(4, signed=True),
    b"\x8a": lambda m: m.number(m.number(1), signed=True),
    b"U": lambda m: m.take(m.number(1)),
    b"T": lambda m: m.take(m.number(4, signed=True)),
    b"h": lambda m: m.memo[m.number(1)],
    b"j": lambda m: m.memo[m.number(4)],
}
_ACTIONS: Mapping[bytes, Callable[[_Machine], None]] = {
    b"\x80": _Machine.protocol,
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"c": _Machine.name,
    b"R": _Machine.call,
    b"b": _Machine.build,
    b"t": lambda m: m.stack.append(tuple(m.above_mark())),
    b"\x85": lambda m: m.pack(1),
    b"\x86": lambda m: m.pack(2),
    b"\x87": lambda m: m.pack(3),
    b"a": lambda m: m.extend(m.pop(1)),
    b"e": lambda m: m.extend(m.above_mark()),
    b"s": lambda m: m.update(m.pop(2)),
    b"u": lambda m: m.update(m.above_mark()),
    b"q": lambda m: m.put(m.number(1)),
    b"r": lambda m: m.put(m.number(4)),
}


def _table(value: Any) -> Batch:
    """A batch with arrays in place of the calls that describe them."""
    if not isinstance(value, dict):
        raise _RefusedError(f"expected a table of named values, found {type(value).__name__}")
    if any(isinstance(item, Name) for item in value.values()):
        raise _RefusedError("a name stands where an array should")
    return {key: _array(item) if isinstance(item, Call) else item for key, item in value.items()}


def _array(call: Call) -> Array:
    """The array that a pickled `_reconstruct` describes.

    Its state is (version, shape, type, Fortran order, bytes), the type's is (version, order, …).
    """
    if call.name.name != "_reconstruct" or not isinstance(call.state, tuple):
        raise _RefusedError(f"it calls '{call.name.module}.{call.name.name}', expected an array")
    _, shape, dtype, fortran, data = call.state
    if not isinstance(dtype, Call) or dtype.name.name != "dtype" or dtype.args[0] not in TYPES:
        raise _RefusedError("an array of an unusual type")
    numbers = np.dtype(TYPES[dtype.args[0]])
    sizes = all(type(side) is int and side >= 0 for side in shape)
    if not sizes or type(data) is not bytes or math.prod(shape) * numbers.itemsize != len(data):
        raise _RefusedError(f"an array claims shape {shape} but holds other data")
    return np.frombuffer(data, numbers).reshape(shape, order="F" if fortran else "C")
