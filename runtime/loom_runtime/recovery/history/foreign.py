"""Tells what a foreign pickle holds from its opcodes; nothing in it is imported or called."""

from __future__ import annotations

import pickletools
from typing import Any, Final

_MAX_OPCODES: Final = 5_000
_MAX_TEXT: Final = 4_000
_MAX_DEPTH: Final = 40

_MARK: Final = object()

_CONSTANTS: Final[dict[str, Any]] = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_MAKERS: Final[dict[str, Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Name:
    """A class or function that a pickle names."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Made:
    """An object that a pickle would make: what is called, with what, and its attributes."""

    def __init__(self, maker: Any, arguments: Any) -> None:
        self.maker, self.arguments = maker, arguments
        self.state: Any = None
        self.items: list[Any] = []


class _List:
    """A list, dictionary or set that grows."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.items: list[Any] = []


def describe_pickle(blob: bytes) -> str:
    """Return the structure of *blob* as text: literals as they are, objects as calls by name.

    What cannot be followed is said in the text; nothing raises.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(blob)):
            if count >= _MAX_OPCODES:
                return f"{_text(machine.top())} … ({len(blob):,} bytes, not read to the end)"
            if opcode.name == "STOP":
                break
            machine.take(opcode.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError) as error:
        return f"a pickle that cannot be followed ({type(error).__name__}): {_text(machine.top())}"
    return _text(machine.top())


class _Machine:
    """Follows opcodes with inert stand-ins on its stack."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def top(self) -> Any:
        return self._stack[-1] if self._stack else _Name("nothing")

    def take(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _MAKERS:
            stack.append(_List(_MAKERS[name]))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            self._collected(name)
        elif name in ("APPEND", "SETITEM", "APPENDS", "SETITEMS", "ADDITEMS"):
            self._grow(name)
        elif "MEMO" in name or "PUT" in name or "GET" in name:
            self._remember(name, argument)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            self._named(name, argument)
        elif name in ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "BUILD", "INST", "OBJ"):
            self._make(name, argument)
        elif name in ("POP", "POP_MARK"):
            stack.pop()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name not in ("PROTO", "FRAME"):
            stack.append(argument if argument is not None else _Name(name.lower()))

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1 - self._stack[::-1].index(_MARK)
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _collected(self, name: str) -> None:
        items = self._since_mark()
        if name == "TUPLE":
            self._stack.append(tuple(items))
            return
        made = _List({"LIST": list, "DICT": dict, "FROZENSET": set}[name])
        made.items = items
        self._stack.append(made)

    def _grow(self, name: str) -> None:
        if name == "APPEND":
            items = [self._stack.pop()]
        elif name == "SETITEM":
            items = [self._stack.pop(-2), self._stack.pop()]
        else:
            items = self._since_mark()
        self._stack[-1].items.extend(items)

    def _remember(self, name: str, argument: Any) -> None:
        if "GET" in name:
            self._stack.append(self._memo[int(argument)])
        else:
            self._memo[len(self._memo) if argument is None else int(argument)] = self._stack[-1]

    def _named(self, name: str, argument: Any) -> None:
        if name == "GLOBAL":
            text = str(argument).replace(" ", ".")
        else:
            qualified, module = self._stack.pop(), self._stack.pop()
            text = f"{module}.{qualified}"
        self._stack.append(_Name(text))

    def _make(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], _Made):
                stack[-1].state = state
            return
        if name == "INST":
            stack.append(_Made(_Name(str(argument).replace(" ", ".")), tuple(self._since_mark())))
        elif name == "OBJ":
            maker, *arguments = self._since_mark()
            stack.append(_Made(maker, tuple(arguments)))
        elif name == "NEWOBJ_EX":
            keywords, arguments, maker = stack.pop(), stack.pop(), stack.pop()
            stack.append(_Made(maker, (arguments, keywords)))
        else:
            arguments, maker = stack.pop(), stack.pop()
            stack.append(_Made(maker, arguments))


def _text(value: Any, depth: int = 0) -> str:
    text = "…" if depth > _MAX_DEPTH else _shape(value, depth + 1)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def _shape(value: Any, depth: int) -> str:
    if isinstance(value, _Name):
        return value.text
    if isinstance(value, _Made):
        inner = value.arguments if isinstance(value.arguments, tuple) else (value.arguments,)
        parts = [_text(each, depth) for each in inner]
        if value.state is not None:
            parts.append(f"state={_text(value.state, depth)}")
        parts += [_text(each, depth) for each in value.items]
        return f"{_text(value.maker, depth)}({', '.join(parts)})"
    if isinstance(value, _List):
        return _collection(value, depth)
    if isinstance(value, tuple):
        inner_text = ", ".join(_text(each, depth) for each in value)
        return f"({inner_text}{',' if len(value) == 1 else ''})"
    return "(" if value is _MARK else repr(value)


def _collection(value: _List, depth: int) -> str:
    texts = [_text(each, depth) for each in value.items]
    if value.kind is dict:
        pairs = zip(texts[::2], texts[1::2], strict=False)
        return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
    inner = ", ".join(texts)
    return f"[{inner}]" if value.kind is list else f"{{{inner}}}"
