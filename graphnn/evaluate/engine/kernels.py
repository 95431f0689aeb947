"""The training step as compiled loops over edges, 64 cells at a time.

Imports numba, and is imported only where that is installed. All of it stands in one file, because numba keeps compiled
code under the date of the file in which a function stands, and looks at no other.

Values of units are rows of 64 cells, `v`; their slopes, of the loss, are rows of `g`. What the data bring is summed
cell by cell into `arrived`, over what is not zero only: an input without a transcript has the same scaled value `zero`
in every cell, so what zeros bring is one number a unit, and values are kept as their distance from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 64  # cells of a block, the numbers of a row
SIDE = 16  # of the squares in which blocks are turned; units are filled up to a multiple of it
EPSILON = 1e-7  # Keras': probabilities nearer to 0 or 1 have no slope; and Adam's
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.999  # of Adam

LINEAR, RELU, LEAKY_RELU, RELU6, ELU, SELU, SIGMOID, TANH, SOFTSIGN, HARD_SIGMOID, HARD_TANH = range(11)
PROBABILITY, LOGIT, CLASS, CLASS_LOGIT, SQUARE = range(5)


class Wires(NamedTuple):
    """What the compiled loops read.

    Attributes:
        chunk_unit: Unit to which each edge of each chunk leads, shape (n_chunks, 2); n_units: none.
        chunk_next: The chunk that follows, shape (n_chunks,); -1: none.
        chunk_input: The input that each chunk reads, shape (n_chunks,).
        first: First edge between units into each unit, and their number, shape (n_units + 1,).
        source: Unit that each of these edges reads, shape (n_edges,).
        activation: Of each unit, a number of `ACTIVATIONS`, shape (n_units,).
        bias: Place of each unit's bias among the biases, shape (n_units,); -1: none.
        output: Units of the outputs, shape (n_outputs,).
        output_of: Which output each unit is, shape (n_units,); -1: none.
        fixed: Weights that stay 1, shape (n_fed,).
        is_deep: Whether inputs have many chunks, so that following them one by one is quicker.
    """

    chunk_unit: Any
    chunk_next: Any
    chunk_input: Any
    first: Any
    source: Any
    activation: Any
    bias: Any
    output: Any
    output_of: Any
    fixed: Any
    is_deep: bool


class Penalty(NamedTuple):
    """What the loss adds for each weight, and which sign it must have; empty arrays where there is nothing.

    Attributes:
        l1: Weight of its absolute value, shape (n_weights,).
        l2: Weight of its square, shape (n_weights,).
        toward: Sign that it should have, times the weight of its absolute value where it has the other one; 0: none.
        kept: Sign that a step must leave it, 1 or -1; 0: any.
    """

    l1: Any
    l2: Any
    toward: Any
    kept: Any


class Cells(NamedTuple):
    """Cells as rows of what is not zero.

    Attributes:
        first: First value of each cell, and their number, shape (n_cells + 1,).
        column: Input of each value, shape (n_values,).
        value: Its distance from the scaled zero, scaled, shape (n_values,).
        zero: Scaled zero of each input, shape (n_inputs,).
        y: Labels, shape (n_cells, n_outputs).
        weight: What each label counts in the loss, shape (n_cells, n_outputs); empty: 1 each.
    """

    first: Any
    column: Any
    value: Any
    zero: Any
    y: Any
    weight: Any


class Memory(NamedTuple):
    """Vectors of all weights: their values, slopes, and Adam's moving means of slopes and of squared slopes."""

    weight: Any
    slope: Any
    mean: Any
    square: Any


class Room(NamedTuple):
    """Space that steps write over, for one replicate.

    Attributes:
        v: Values of units, shape (n_filled, WIDTH), n_filled the least multiple of SIDE above the number of units.
        g: Slopes of units, likewise.
        arrived: What the data bring to each unit, cell by cell, and back; shape (WIDTH, n_filled).
        level: What is the same for all cells of a step, shape (n_units + 1,).
        total: Slopes of units, summed over the cells of a step, shape (n_units + 1,).
        chunk: Further chunks that a block reads, shape (most,).
        value: Their values, shape (most,).
        until: Where those of each cell end, shape (WIDTH + 1,).
        loss: One spare row, then the slopes of the outputs, shape (1 + n_outputs, WIDTH).
        bits: A row of integers.
    """

    v: Any
    g: Any
    arrived: Any
    level: Any
    total: Any
    chunk: Any
    value: Any
    until: Any
    loss: Any
    bits: Any


# -- rows of 64 numbers as one value of the compiler, which cuts them to the registers of the machine ------------------

_INTEGER = ir.IntType(64)
_NUMBER = ir.FloatType()
_ROW = ir.VectorType(_NUMBER, WIDTH)
_FUSED = ("contract",)


def _row(builder, array, index):
    place = builder.gep(array.data, [builder.mul(index, _INTEGER(WIDTH))])
    return builder.bitcast(place, _ROW.as_pointer())


def _load(builder, place):
    found = builder.load(place)
    found.align = 64
    return found


def _store(builder, value, place):
    builder.store(value, place).align = 64


def _times(builder, number, row):
    none = ir.Constant(_ROW, ir.Undefined)
    first = builder.insert_element(none, number, ir.IntType(32)(0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.fmul(builder.shuffle_vector(first, none, everywhere), row, flags=_FUSED)


def _total(builder, row):
    kind = ir.FunctionType(_NUMBER, [_NUMBER, _ROW])
    add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{WIDTH}f32")
    return builder.call(add, [ir.Constant(_NUMBER, 0.0), row], fastmath=("reassoc",))


def _arrays(context, builder, signature, args):
    """The array arguments, in their order."""
    kinds = zip(signature.args, args, strict=True)
    return [context.make_array(kind)(context, builder, arg) for kind, arg in kinds if isinstance(kind, types.Array)]


def _edges(builder, sources, first, last):
    """For each edge its number, and what it reads."""
    with cgutils.for_range_slice(builder, first, last, _INTEGER(1), intp=_INTEGER) as (edge, _):
        yield edge, builder.zext(builder.load(builder.gep(sources.data, [edge])), _INTEGER)


@intrinsic
def add_edges(typing, v, source, weight, start, first, last, at):
    """v[at] += sum over edges e in [first, last) of weight[start + e] v[source[e]]."""

    def generate(context, builder, signature, args):
        rows, sources, weights = _arrays(context, builder, signature, args)
        start, first, last, at = args[3:]
        total = cgutils.alloca_once(builder, _ROW)
        builder.store(_load(builder, _row(builder, rows, at)), total)
        for edge, read in _edges(builder, sources, first, last):
            number = builder.load(builder.gep(weights.data, [builder.add(start, edge)]))
            part = _times(builder, number, _load(builder, _row(builder, rows, read)))
            builder.store(builder.fadd(builder.load(total), part, flags=_FUSED), total)
        _store(builder, builder.load(total), _row(builder, rows, at))
        return context.get_dummy_value()

    return types.void(v, source, weight, *[types.int64] * 4), generate


@intrinsic
def add_slopes(typing, v, g, source, weight, slope, start, first, last, at):
    """Both gradients of `add_edges`.

    For edges e in [first, last): slope[start + e] += v[source[e]] . g[at] and g[source[e]] += weight[start + e] g[at].
    """

    def generate(context, builder, signature, args):
        rows, slopes, sources, weights, result = _arrays(context, builder, signature, args)
        start, first, last, at = args[5:]
        own = _load(builder, _row(builder, slopes, at))
        for edge, read in _edges(builder, sources, first, last):
            place = builder.gep(result.data, [builder.add(start, edge)])
            found = _total(builder, builder.fmul(_load(builder, _row(builder, rows, read)), own))
            builder.store(builder.fadd(builder.load(place), found), place)
            number = builder.load(builder.gep(weights.data, [builder.add(start, edge)]))
            back = _row(builder, slopes, read)
            _store(builder, builder.fadd(_load(builder, back), _times(builder, number, own), flags=_FUSED), back)
        return context.get_dummy_value()

    return types.void(v, g, source, weight, slope, *[types.int64] * 4), generate


@intrinsic
def total_of(typing, g, at):
    """The sum of g[at]."""

    def generate(context, builder, signature, args):
        (rows,) = _arrays(context, builder, signature, args)
        return _total(builder, _load(builder, _row(builder, rows, args[1])))

    return types.float32(g, types.int64), generate


@intrinsic
def turn(typing, source, target, row, column):
    """target[column + j, row + i] = source[row + i, column + j] for i, j < SIDE, in registers.

    The rows of a square are interleaved with those half a square below, as often as its side can be halved.
    """

    def generate(context, builder, signature, args):
        given, turned = _arrays(context, builder, signature, args)
        row, column = args[2:]
        lanes, half = ir.VectorType(_NUMBER, SIDE), SIDE // 2

        def place(array, first, at, number):
            width = cgutils.unpack_tuple(builder, array.shape)[1]
            start = builder.add(builder.mul(builder.add(first, _INTEGER(number)), width), at)
            return builder.bitcast(builder.gep(array.data, [start]), lanes.as_pointer())

        rows = [builder.load(place(given, row, column, i)) for i in range(SIDE)]
        for found in rows:
            found.align = 4
        pairs = [[start + k // 2 + SIDE * (k % 2) for k in range(SIDE)] for start in (0, half)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), SIDE), pair) for pair in pairs]
        for _ in range(SIDE.bit_length() - 1):
            rows = [builder.shuffle_vector(rows[i], rows[i + half], mask) for i in range(half) for mask in masks]
        for j, value in enumerate(rows):
            builder.store(value, place(turned, column, row, j)).align = 4
        return context.get_dummy_value()

    return types.void(source, target, types.int64, types.int64), generate


# -- activations -------------------------------------------------------------------------------------------------------

_number = np.float32
_1 = np.uint64(1)
_ZERO, _HALF, _ONE, _TWO, _SIX = _number(0), _number(0.5), _number(1), _number(2), _number(6)
_LOWEST, _HIGHEST, _BIAS = _number(-87), _number(88), np.int32(127)
_LOG2E, _LN2_HIGH, _LN2_LOW = _number(1.44269504), _number(0.693359375), _number(-2.12194440e-4)
_E3, _E4, _E5 = _number(1.6666665459e-1), _number(4.1665795894e-2), _number(8.3334519073e-3)
_E6, _E7 = _number(1.3981999507e-3), _number(1.9875691500e-4)
_SHIFT, _SHIFT_BACK, _MANTISSA = _number(128.5), np.int32(128), np.int32(23)
_SELU, _SELU_ALPHA, _LEAK = _number(1.05070098735548), _number(1.67326324235437), _number(0.2)


def _compiled(function):
    """Compile at the first call, and keep the code on disk where there is a folder that can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no such folder
        return njit(**options)(function)


@_compiled
def exponential(row, bits, less):
    """exp of a row, less 0 or 1, in place, to about two units in the last place; NaN where a value is not finite.

    2^n (e^r - 1) + 2^n, with a polynomial for e^r - 1 whose coefficients are those of `expf` in S. Moshier's Cephes
    library (https://www.netlib.org/cephes): written out, because the compiler vectorises this and calls of a library
    not. Less 1 it keeps the digits of small values.
    """
    power = bits.view(np.float32)
    for b in range(WIDTH):
        x = min(max(row[b], _LOWEST), _HIGHEST)
        n = np.int32(x * _LOG2E + _SHIFT) - _SHIFT_BACK
        bits[b] = (n + _BIAS) << _MANTISSA
        whole = np.float32(n)
        r = x - whole * _LN2_HIGH - whole * _LN2_LOW
        p = ((((_E7 * r + _E6) * r + _E5) * r + _E4) * r + _E3) * r + _HALF
        row[b] = p * r * r + r + (row[b] - row[b])
    for b in range(WIDTH):
        row[b] = power[b] * row[b] + (power[b] - less)


@_compiled
def sigmoid(row, bits):
    """1 / (1 + exp(-x)) of a row, in place."""
    for b in range(WIDTH):
        row[b] = -row[b]
    exponential(row, bits, _ZERO)
    for b in range(WIDTH):
        row[b] = _ONE / (_ONE + row[b])


@_compiled
def activate(row, kind, bits, spare):
    """Apply an activation to a row, in place."""
    if kind == LINEAR:
        return
    if kind == RELU:
        for b in range(WIDTH):
            row[b] = max(row[b], _ZERO)
    elif kind == LEAKY_RELU:
        for b in range(WIDTH):
            row[b] = row[b] if row[b] > _ZERO else row[b] * _LEAK
    elif kind == RELU6:
        for b in range(WIDTH):
            row[b] = min(max(row[b], _ZERO), _SIX)
    elif kind == HARD_SIGMOID:
        for b in range(WIDTH):
            row[b] = min(max(row[b] / _SIX + _HALF, _ZERO), _ONE)
    elif kind == HARD_TANH:
        for b in range(WIDTH):
            row[b] = min(max(row[b], -_ONE), _ONE)
    elif kind == SOFTSIGN:
        for b in range(WIDTH):
            row[b] = row[b] / (_ONE + abs(row[b]))
    elif kind == ELU or kind == SELU:
        for b in range(WIDTH):
            spare[b] = min(row[b], _ZERO)
        exponential(spare, bits, _ONE)
        if kind == ELU:
            for b in range(WIDTH):
                row[b] = row[b] if row[b] > _ZERO else spare[b]
        else:
            for b in range(WIDTH):
                row[b] = _SELU * (row[b] if row[b] > _ZERO else _SELU_ALPHA * spare[b])
    elif kind == SIGMOID:
        sigmoid(row, bits)
    elif kind == TANH:
        for b in range(WIDTH):
            spare[b] = -_TWO * abs(row[b])
        exponential(spare, bits, _ONE)
        for b in range(WIDTH):
            size = -spare[b] / (_TWO + spare[b])
            row[b] = size if row[b] >= _ZERO else -size


@_compiled
def steepen(slope, value, kind):
    """slope *= derivative of the activation where it has this value."""
    if kind == LINEAR:
        return
    if kind == RELU:
        for b in range(WIDTH):
            slope[b] = slope[b] if value[b] > _ZERO else _ZERO
    elif kind == LEAKY_RELU:
        for b in range(WIDTH):
            slope[b] = slope[b] if value[b] >= _ZERO else slope[b] * _LEAK
    elif kind == RELU6:
        for b in range(WIDTH):
            slope[b] = slope[b] if value[b] > _ZERO and value[b] < _SIX else _ZERO
    elif kind == HARD_SIGMOID:
        for b in range(WIDTH):
            slope[b] = slope[b] / _SIX if value[b] > _ZERO and value[b] < _ONE else _ZERO
    elif kind == HARD_TANH:
        for b in range(WIDTH):
            slope[b] = slope[b] if abs(value[b]) < _ONE else _ZERO
    elif kind == SOFTSIGN:
        for b in range(WIDTH):
            rest = _ONE - abs(value[b])
            slope[b] *= rest * rest
    elif kind == ELU:
        for b in range(WIDTH):
            slope[b] *= _ONE + min(value[b], _ZERO)
    elif kind == SELU:
        for b in range(WIDTH):
            slope[b] *= _SELU if value[b] > _ZERO else value[b] + _SELU * _SELU_ALPHA
    elif kind == SIGMOID:
        for b in range(WIDTH):
            slope[b] *= value[b] * (_ONE - value[b])
    elif kind == TANH:
        for b in range(WIDTH):
            slope[b] *= _ONE - value[b] * value[b]


@_compiled
def clear(vector):
    """Fill with zeros."""
    for i in range(len(vector)):
        vector[i] = _ZERO


# -- a step ------------------------------------------------------------------------------------------------------------


@_compiled
def add_data(wires, cells, rows, weight, room):
    """What the data bring to the units of each cell: the first chunk of each value's input, then those that follow.

    These are taken from a list, round by round. An entry is written at its end in any case, and the list grows only
    where a chunk follows: no branch. Where inputs have many chunks, each entry is followed to its end instead, as
    chunks of one input stand side by side in memory.
    """
    unit, following = wires.chunk_unit, wires.chunk_next
    chunk, value = room.chunk, room.value
    n = np.uint64(0)
    room.until[0] = 0
    for b in range(len(rows)):
        row = room.arrived[b]
        for u in range(len(row)):
            row[u] = _ZERO
        end = n
        for k in range(cells.first[rows[b]], cells.first[rows[b] + 1]):
            c, x = np.uint64(cells.column[k]), cells.value[k]
            row[unit[c, 0]] += x * weight[c << _1]
            row[unit[c, 1]] += x * weight[(c << _1) | _1]
            chunk[n], value[n] = following[c], x
            n += np.uint64(following[c] >= 0)
        if wires.is_deep:
            for k in range(end, n):
                at, x = chunk[k], value[k]
                while at >= 0:
                    c = np.uint64(at)
                    row[unit[c, 0]] += x * weight[c << _1]
                    row[unit[c, 1]] += x * weight[(c << _1) | _1]
                    at = following[c]
            end = n
        while end < n:
            begin, end = end, n
            for k in range(begin, end):
                c, x = np.uint64(chunk[k]), value[k]
                row[unit[c, 0]] += x * weight[c << _1]
                row[unit[c, 1]] += x * weight[(c << _1) | _1]
                chunk[n], value[n] = following[c], x
                n += np.uint64(following[c] >= 0)
        room.until[b + 1] = n


@_compiled
def add_zeros(wires, cells, weight, level):
    """What is the same for all cells: biases, and what inputs bring whose value is the scaled zero."""
    n_biases = len(weight) - 2 * len(wires.chunk_next) - len(wires.source)
    first_bias = len(weight) - n_biases
    for u in range(len(wires.bias)):
        level[u] = weight[first_bias + wires.bias[u]] if wires.bias[u] >= 0 else _ZERO
    for c in range(len(wires.chunk_next)):
        zero = cells.zero[wires.chunk_input[c]]
        level[wires.chunk_unit[c, 0]] += zero * weight[2 * c]
        level[wires.chunk_unit[c, 1]] += zero * weight[2 * c + 1]


@_compiled
def forward(wires, cells, rows, weight, room):
    """Values of all units for up to WIDTH cells, from what `add_zeros` left in `room.level`."""
    start = np.int64(2 * len(wires.chunk_next))
    add_data(wires, cells, rows, weight, room)
    for b in range(len(rows), WIDTH):
        clear(room.arrived[b])
    for u in range(0, len(room.v), SIDE):
        for b in range(0, WIDTH, SIDE):
            turn(room.arrived, room.v, b, u)
    for u in range(len(wires.bias)):
        for b in range(WIDTH):
            room.v[u, b] += room.level[u]
        add_edges(room.v, wires.source, weight, start, wires.first[u], wires.first[u + 1], np.int64(u))
        activate(room.v[u], wires.activation[u], room.bits, room.loss[0])


@_compiled
def softmax(loss, bits):
    """Softmax over the rows behind the first, in place."""
    for b in range(WIDTH):
        loss[0, b] = loss[1, b]
        for k in range(2, len(loss)):
            loss[0, b] = max(loss[0, b], loss[k, b])
    for k in range(1, len(loss)):
        for b in range(WIDTH):
            loss[k, b] -= loss[0, b]
        exponential(loss[k], bits, _ZERO)
    for b in range(WIDTH):
        total = _ZERO
        for k in range(1, len(loss)):
            total += loss[k, b]
        for k in range(1, len(loss)):
            loss[k, b] /= total


@_compiled
def find_slopes(wires, cells, rows, kind, share, room):
    """Slope of the loss towards each output, into `room.loss[1:]`.

    Towards its value for the squared error, else towards the sum that its activation or the softmax receives, where
    it is prediction - label. As in Keras there is none where a probability is nearer to 0 or 1 than EPSILON.
    """
    loss = room.loss
    lowest, highest = np.float32(EPSILON), _ONE - np.float32(EPSILON)
    for k in range(len(wires.output)):
        for b in range(WIDTH):
            loss[1 + k, b] = room.v[wires.output[k], b]
        if kind == LOGIT:
            sigmoid(loss[1 + k], room.bits)
    if kind == CLASS or kind == CLASS_LOGIT:
        softmax(loss, room.bits)
    for b in range(WIDTH):
        has_slope = b < len(rows)
        if has_slope and kind == CLASS:
            for k in range(len(wires.output)):
                p = loss[1 + k, b]
                has_slope &= cells.y[rows[b], k] == 0 or not (p < lowest or p > highest)
        for k in range(len(wires.output)):
            p = loss[1 + k, b]
            if not has_slope or (kind == PROBABILITY and (p < lowest or p > highest)):
                loss[1 + k, b] = _ZERO
            else:
                loss[1 + k, b] = (p - cells.y[rows[b], k]) * share
                if len(cells.weight) > 0:
                    loss[1 + k, b] *= cells.weight[rows[b], k]


@_compiled
def backward(wires, cells, rows, memory, kind, room):
    """Slopes of all weights for the cells of `forward`, added to `memory.slope`; those of units to `room.total`."""
    weight, slope, g = memory.weight, memory.slope, room.g
    start, n_units = np.int64(2 * len(wires.chunk_next)), len(wires.bias)
    clear(g.reshape(-1))
    for u in range(n_units - 1, -1, -1):
        output = wires.output_of[u]
        if output >= 0 and kind == SQUARE:
            for b in range(WIDTH):
                g[u, b] += _TWO * room.loss[1 + output, b]
        steepen(g[u], room.v[u], wires.activation[u])
        if output >= 0 and kind != SQUARE:
            for b in range(WIDTH):
                g[u, b] += room.loss[1 + output, b]
        room.total[u] += total_of(g, np.int64(u))
        add_slopes(room.v, g, wires.source, weight, slope, start, wires.first[u], wires.first[u + 1], np.int64(u))
    for u in range(0, len(g), SIDE):
        for b in range(0, WIDTH, SIDE):
            turn(g, room.arrived, u, b)
    unit = wires.chunk_unit
    for b in range(len(rows)):
        row = room.arrived[b]
        row[n_units] = _ZERO
        for k in range(cells.first[rows[b]], cells.first[rows[b] + 1]):
            c, x = np.uint64(cells.column[k]), cells.value[k]
            slope[c << _1] += x * row[unit[c, 0]]
            slope[(c << _1) | _1] += x * row[unit[c, 1]]
        for k in range(room.until[b], room.until[b + 1]):
            at, x = np.uint64(room.chunk[k]), room.value[k]
            slope[at << _1] += x * row[unit[at, 0]]
            slope[(at << _1) | _1] += x * row[unit[at, 1]]
            while wires.is_deep and wires.chunk_next[at] >= 0:
                at = np.uint64(wires.chunk_next[at])
                slope[at << _1] += x * row[unit[at, 0]]
                slope[(at << _1) | _1] += x * row[unit[at, 1]]


@_compiled
def add_slopes_of_zeros(wires, cells, slope, total):
    """The counterpart of `add_zeros`: from slopes of units, summed over cells, to those of biases and of data edges."""
    n_units = len(wires.bias)
    first_bias = 2 * len(wires.chunk_next) + len(wires.source)
    total[n_units] = _ZERO
    for u in range(n_units):
        if wires.bias[u] >= 0:
            slope[first_bias + wires.bias[u]] += total[u]
    for c in range(len(wires.chunk_next)):
        zero = cells.zero[wires.chunk_input[c]]
        slope[2 * c] += zero * total[wires.chunk_unit[c, 0]]
        slope[2 * c + 1] += zero * total[wires.chunk_unit[c, 1]]


@_compiled
def punish(penalty, memory):
    """Slopes of the penalties; that of |0| is 1, as JAX has it."""
    weight, slope = memory.weight, memory.slope
    for i in range(len(penalty.l1)):
        slope[i] += penalty.l1[i] if weight[i] >= 0 else -penalty.l1[i]
        slope[i] += _TWO * penalty.l2[i] * weight[i]
        if penalty.toward[i] * weight[i] < 0:
            slope[i] -= penalty.toward[i]


@_compiled
def step_of_adam(memory, rate, number):
    """One step of Adam on all weights, in Keras' form; `number` counts from 1. D. Kingma, J. Ba, ICLR 2015."""
    size = np.float32(rate * np.sqrt(1.0 - SQUARE_DECAY**number) / (1.0 - MEAN_DECAY**number))
    of_mean, of_square = np.float32(1.0 - MEAN_DECAY), np.float32(1.0 - SQUARE_DECAY)
    weight, slope, mean, square = memory
    for i in range(len(weight)):
        mean[i] += (slope[i] - mean[i]) * of_mean
        square[i] += (slope[i] * slope[i] - square[i]) * of_square
        weight[i] -= mean[i] * size / (np.sqrt(square[i]) + np.float32(EPSILON))


@_compiled
def keep_rules(wires, penalty, weight):
    """Bring weights back to what they must be: those of measurements to 1, those of the wrong sign to 0."""
    for i in wires.fixed:
        weight[i] = _ONE
    for i in range(len(penalty.kept)):
        if penalty.kept[i] * weight[i] < 0:
            weight[i] = _ZERO


@_compiled
def train(wires, cells, batches, kind, memory, penalty, rate, n_before, room):
    """One step for each row of `batches`, which lists the cells of the step; `n_before` steps were made before."""
    n_outputs = len(wires.output)
    for number in range(len(batches)):
        rows = batches[number]
        share = _ONE / np.float32(len(rows) * (1 if kind == CLASS or kind == CLASS_LOGIT else n_outputs))
        clear(memory.slope)
        clear(room.total)
        add_zeros(wires, cells, memory.weight, room.level)
        for begin in range(0, len(rows), WIDTH):
            part = rows[begin : begin + WIDTH]
            forward(wires, cells, part, memory.weight, room)
            find_slopes(wires, cells, part, kind, share, room)
            backward(wires, cells, part, memory, kind, room)
        add_slopes_of_zeros(wires, cells, memory.slope, room.total)
        punish(penalty, memory)
        step_of_adam(memory, rate, n_before + number + 1)
        keep_rules(wires, penalty, memory.weight)


@_compiled
def predict(wires, cells, rows, weight, room, result):
    """Values of the outputs for some cells, before any softmax, shape (n_rows, n_outputs)."""
    add_zeros(wires, cells, weight, room.level)
    for begin in range(0, len(rows), WIDTH):
        part = rows[begin : begin + WIDTH]
        forward(wires, cells, part, weight, room)
        for k in range(len(wires.output)):
            for b in range(len(part)):
                result[begin + b, k] = room.v[wires.output[k], b]


@_compiled
def scale(column, value, offset, factor, limit, zero, result):
    """The distance of each scaled value from the scaled zero of its input."""
    for k in range(len(value)):
        i = column[k]
        result[k] = min(max((value[k] - offset[i]) * factor[i], -limit[i]), limit[i]) - zero[i]


@_compiled
def count(first, column, more, result):
    """How many chunks beyond the first ones each cell reads."""
    for cell in range(len(result)):
        for k in range(first[cell], first[cell + 1]):
            result[cell] += more[column[k]]
