"""JSON to the contract's dataclasses, and back."""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ShapeError(ValueError):
    """A value does not have the shape that the contract says."""


def decode(kind: type[T], value: object) -> T:
    """
    A dataclass of a value of JSON. Fields that are not known are left out, since newer relays may send more of them.

    :raises ShapeError: naming the field
    """
    return cast(T, _decode(kind, value, ""))


def encode(value: object) -> object:
    """A value of JSON. Fields that are None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: encode(content) for name, content in fields if content is not None}
    if isinstance(value, list):
        return [encode(item) for item in value]
    return value


@functools.cache
def _fields(kind: type[Any]) -> list[tuple[str, Any, bool]]:
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name], field.default is dataclasses.MISSING) for field in dataclasses.fields(kind)]


def _decode(kind: Any, value: object, where: str) -> object:
    origin = get_origin(kind)
    if origin is Union or origin is types.UnionType:
        inner = next(part for part in get_args(kind) if part is not type(None))
        return None if value is None else _decode(inner, value, where)
    if origin is list:
        if not isinstance(value, list):
            raise ShapeError(f"{where or 'the value'} is not a list")
        (inner,) = get_args(kind)
        return [_decode(inner, item, f"{where}[{index}]") for index, item in enumerate(value)]
    if origin is Literal:
        # There may be more values than this package knows.
        return _scalar(str, value, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise ShapeError(f"{where or 'the value'} is not an object")
        found: dict[str, object] = {}
        for name, hint, required in _fields(kind):
            at = f"{where}.{name}" if where else name
            if name in value:
                found[name] = _decode(hint, value[name], at)
            elif required:
                raise ShapeError(f"{at} is missing")
        return kind(**found)
    if kind is Any:
        return value
    return _scalar(kind, value, where)


def _scalar(kind: type[Any], value: object, where: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ShapeError(f"{where or 'the value'} is no {kind.__name__}")
