"""Reads pickles as data: a stack machine that can neither import nor call what a file names.

Python's own unpickler runs what the file asks for and must be kept from it; this one has no way to.
It knows the opcodes that torch writes, and stops at the first one, and at the first name, that a
dict of tensors has no use for.
"""

import dataclasses
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO


@dataclasses.dataclass(frozen=True)
class Name:
    """A "module.name" of the file, as text."""

    text: str


Rebuild = Callable[..., Any]

_CONSTANTS = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_VALUES = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINFLOAT"} | {
    *("BININT", "BININT1", "BININT2", "LONG1")
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}
MAX_OPCODES = 1 << 22
"""Seconds of work; a checkpoint of a thousand tensors has thirty thousand."""


def read_pickle(
    file: BinaryIO, calls: Mapping[str, Rebuild | None], reference: Rebuild | None = None
) -> Any:
    """Reads one pickle; the file then stands behind it.

    Args:
        file: bytes in memory (io.BytesIO), so that a false length reads no more than there is.
        calls: "module.name" that may occur -> our function of the arguments that the file calls
            it with; None: it occurs, but is not called.
        reference: our function of a persistent id, which torch uses for storages.

    Returns:
        Dicts with text and whole numbers as keys, lists, tuples, text, numbers, True, False, None,
        `Name`, and what `calls` and `reference` return.

    Raises:
        ValueError: the pickle is damaged, or names what `calls` does not allow.
    """
    machine = _Machine(calls, reference)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count >= MAX_OPCODES:
                raise ValueError(f"expected a pickle of at most {MAX_OPCODES} opcodes")
            machine.do(opcode.name, argument)
    except (IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"damaged pickle ({type(error).__name__})") from error
    return machine.result()


class _Machine:
    """Stack, marks and memory of one pickle."""

    def __init__(self, calls: Mapping[str, Rebuild | None], reference: Rebuild | None):
        self.calls = calls
        self.reference = reference
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memory: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self.stack) != 1 or self.outer:
            raise ValueError("damaged pickle (expected one value)")
        return self.stack[0]

    def do(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(self._take(_TUPLES[name])))
        elif name not in _IGNORED:
            step = getattr(self, f"_{name.lower()}", None)
            if step is None:
                raise ValueError(f"it holds the pickle opcode {name}, which no tensor needs")
            step(argument)

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("damaged pickle (stack too short)")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.outer.pop()
        return items

    def _mark(self, _) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _stop(self, _) -> None:
        pass

    def _tuple(self, _) -> None:
        items = self._since_mark()  # which changes what self.stack is
        self.stack.append(tuple(items))

    def _binput(self, place: int) -> None:
        self.memory[place] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _) -> None:
        self.memory[len(self.memory)] = self.stack[-1]

    def _binget(self, place: int) -> None:
        self.stack.append(self.memory[place])

    _long_binget = _binget

    def _global(self, name: str) -> None:
        text = name.replace(" ", ".")
        if text not in self.calls:
            raise ValueError(f"it refers to {text[:80]!r}, which no tensor needs; nothing was run")
        self.stack.append(Name(text))

    def _stack_global(self, _) -> None:
        module, name = self._take(2)
        self._global(f"{module if type(module) is str else ''} {name if type(name) is str else ''}")

    def _reduce(self, _) -> None:
        name, arguments = self._take(2)
        function = self.calls[name.text] if isinstance(name, Name) else None
        if function is None or not isinstance(arguments, tuple):
            raise ValueError("it calls what cannot be called; nothing was run")
        self.stack.append(function(*arguments))

    def _build(self, _) -> None:
        """Leaves out the attributes of an object: torch gives its dict `_metadata`."""
        self._take(1)

    def _binpersid(self, _) -> None:
        (identity,) = self._take(1)
        if self.reference is None or not isinstance(identity, tuple):
            raise ValueError("damaged pickle (unexpected reference)")
        self.stack.append(self.reference(*identity))

    def _append(self, _) -> None:
        self._add(self._take(1))

    def _appends(self, _) -> None:
        self._add(self._since_mark())

    def _add(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("damaged pickle (expected a list)")
        self.stack[-1].extend(items)

    def _setitem(self, _) -> None:
        self._set(self._take(2))

    def _setitems(self, _) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        # Other keys would be hashed, and nested tuples can be made to take for ever.
        keys = items[::2]
        if type(self.stack[-1]) is not dict or any(type(key) not in (str, int) for key in keys):
            raise ValueError("damaged pickle (expected a dict with text or whole numbers as keys)")
        self.stack[-1].update(zip(keys, items[1::2], strict=True))
