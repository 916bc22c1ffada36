"""Explicit SIMD values for numba: eight doubles or sixteen floats in one LLVM vector.

LLVM splits them for processors with narrower registers (AVX2, SSE, NEON), so the same code runs everywhere.
All functions take the array only to know the element type: ``load(array, i)`` reads ``array[i:i+lanes]``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

# numba's decorators are untyped; as Any, what they decorate may be called from compiled code without its first argument
intrinsic: Any = extending.intrinsic
overload: Any = extending.overload
models: Any = extending.models

#: The engine's flags for vector arithmetic: fused multiply-adds and reassociation, NaN and infinity kept.
FLAGS = ("contract", "reassoc", "nsz")
BITS = 512
INDEX = ir.IntType(32)


class Vector(types.Type):
    """numba type of a register of ``lanes`` floating-point numbers."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.lanes = BITS // dtype.bitwidth
        super().__init__(name=f"Vector({dtype}, {self.lanes})")


def _llvm(vector: Vector) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType() if vector.dtype == types.float64 else ir.FloatType(), vector.lanes)


@extending.register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, _llvm(vector))


VECTORS = {types.float64: Vector(types.float64), types.float32: Vector(types.float32)}


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Address of ``array[index]`` as a pointer to a vector."""
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [index]), _llvm(VECTORS[array_type.dtype]).as_pointer())


@intrinsic
def lanes(_typing: Any, array: Any) -> Any:
    """Numbers in one vector of the array's element type."""
    count = VECTORS[array.dtype].lanes
    return types.intp(array), lambda context, builder, sig, args: context.get_constant(types.intp, count)


@intrinsic
def load(_typing: Any, array: Any, index: Any) -> Any:
    """The vector ``array[index : index + lanes]``; no alignment needed."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        size = array.dtype.bitwidth // 8
        return builder.load(_pointer(context, builder, array, *args), align=size)

    return VECTORS[array.dtype](array, types.intp), generate


@intrinsic
def store(_typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write ``vector`` to ``array[index : index + lanes]``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        size = array.dtype.bitwidth // 8
        builder.store(args[2], _pointer(context, builder, array, *args[:2]), align=size)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def spread(_typing: Any, array: Any, scalar: Any) -> Any:
    """A vector with ``scalar`` in every lane, of the array's element type."""
    vector = VECTORS[array.dtype]

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shape = _llvm(vector)
        undefined = ir.Constant(shape, ir.Undefined)
        first = builder.insert_element(undefined, args[1], ir.Constant(INDEX, 0))
        zeros = ir.Constant(ir.VectorType(INDEX, vector.lanes), [0] * vector.lanes)
        return builder.shuffle_vector(first, undefined, zeros)

    return vector(array, vector.dtype), generate


def _arithmetic(instruction: str) -> Any:
    @intrinsic
    def apply(_typing: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args, flags=FLAGS)

        return left(left, right), generate

    return apply


def _overload(symbol: Callable[..., Any], apply: Any) -> None:
    # numba compares the signature of ``implement`` with that of what it returns: no annotations here
    @overload(symbol)
    def implement(left, right):  # type: ignore[no-untyped-def]
        if isinstance(left, Vector) and left == right:
            return lambda left, right: apply(left, right)
        return None


_overload(operator.add, _arithmetic("fadd"))
_overload(operator.sub, _arithmetic("fsub"))
_overload(operator.mul, _arithmetic("fmul"))


def _maximum(builder: Any, left: Any, right: Any) -> Any:
    not_smaller = builder.fcmp_ordered("<=", left, right)
    return builder.select(builder.or_(not_smaller, builder.fcmp_ordered("uno", right, right)), right, left)


@intrinsic
def larger(_typing: Any, left: Any, right: Any) -> Any:
    """Lane by lane, the larger of two vectors; NaN on either side wins, so that it is seen."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _maximum(builder, *args)

    return left(left, right), generate


def _fold(combine: Callable[..., Any]) -> Any:
    @intrinsic
    def fold(_typing: Any, vector: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value, width = args[0], vector.lanes
            while width > 1:
                width //= 2
                undefined = ir.Constant(value.type, ir.Undefined)
                pick = [ir.Constant(ir.VectorType(INDEX, width), list(range(at, at + width))) for at in (0, width)]
                low, high = (builder.shuffle_vector(value, undefined, part) for part in pick)
                value = combine(builder, low, high)
            return builder.extract_element(value, ir.Constant(INDEX, 0))

        return vector.dtype(vector), generate

    return fold


total = _fold(lambda builder, low, high: builder.fadd(low, high, flags=FLAGS))
largest = _fold(_maximum)

__all__ = ["Vector", "lanes", "larger", "largest", "load", "spread", "store", "total"]
