"""SIMD operations on WIDTH numbers.

Numba does not vectorise loops as short as ours, whose arrays might overlap. LLVM maps its vector types to the
machine's vector instructions, or to scalar ones.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WIDTH = 8
INT8, INT16, INT32 = (ir.IntType(bits) for bits in (8, 16, 32))


def _pointer(context, builder, array_type, array, index, element):
    """The address of WIDTH elements of a one-dimensional array, from an index on."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(element, WIDTH).as_pointer())


def _repeated(builder, number):
    """WIDTH times an int32."""
    vector = ir.Constant(ir.VectorType(INT32, WIDTH), ir.Undefined)
    for index in range(WIDTH):
        vector = builder.insert_element(vector, number, INT32(index))
    return vector


@intrinsic
def add_rows(typing_context, u, at, w, rows, factors, offset):
    """u[at + offset + i] += sum over rows of factor * w[row + offset + i], for i < WIDTH

    u : int32 array, w : int16 array, both flat; at, offset : uintp; rows : tuple of uintp; factors : tuple of int32,
    as long as rows, or () for 1
    """

    def generate(context, builder, signature, args):
        u, at, w, rows, factors, offset = args
        target = _pointer(context, builder, signature.args[0], u, builder.add(at, offset), INT32)
        total = builder.load(target, align=4)
        for i in range(len(signature.args[3])):
            index = builder.add(builder.extract_value(rows, i), offset)
            row = builder.load(_pointer(context, builder, signature.args[2], w, index, INT16), align=2)
            term = builder.sext(row, ir.VectorType(INT32, WIDTH))
            if len(signature.args[4]) > 0:
                term = builder.mul(term, _repeated(builder, builder.extract_value(factors, i)))
            total = builder.add(total, term)
        builder.store(total, target, align=4)
        return context.get_dummy_value()

    return types.void(u, at, w, rows, factors, offset), generate


@intrinsic
def beyond(typing_context, u, upper, lower, at):
    """An integer whose bit i is 1 where u[at + i] >= upper[at + i] or u[at + i] < lower[at + i], for i < WIDTH

    The arrays are int32 and flat; at : uintp.
    """

    def generate(context, builder, signature, args):
        *arrays, at = args
        u, upper, lower = (
            builder.load(_pointer(context, builder, array_type, array, at, INT32), align=4)
            for array_type, array in zip(signature.args[:3], arrays, strict=True)
        )
        either = builder.or_(builder.icmp_signed(">=", u, upper), builder.icmp_signed("<", u, lower))
        return builder.zext(builder.bitcast(either, INT8), ir.IntType(64))

    return types.uint64(u, upper, lower, at), generate


@intrinsic
def copy_plus(typing_context, target, at, source, first, number):
    """target[at + i] = source[first + i] + number, for i < WIDTH

    target, source : int32 arrays, flat; at, first : uintp; number : int32
    """

    def generate(context, builder, signature, args):
        target, at, source, first, number = args
        copied = builder.load(_pointer(context, builder, signature.args[2], source, first, INT32), align=4)
        pointer = _pointer(context, builder, signature.args[0], target, at, INT32)
        builder.store(builder.add(copied, _repeated(builder, number)), pointer, align=4)
        return context.get_dummy_value()

    return types.void(target, at, source, first, types.int32), generate


@intrinsic
def count_reached(typing_context, m, at, u, thresholds, row, step):
    """m[at + i] = how many of thresholds[row + i], thresholds[row + step + i], ... u[at + i] reaches, for i < WIDTH

    m, u, thresholds : int32 arrays, flat; at, row, step : uintp. The thresholds rise, and the last is beyond every u.
    """

    def generate(context, builder, signature, args):
        m, at, u, thresholds, row, step = args
        vector = ir.VectorType(INT32, WIDTH)
        u = builder.load(_pointer(context, builder, signature.args[2], u, at, INT32), align=4)
        before = builder.basic_block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        count, begin = builder.phi(vector), builder.phi(row.type)
        theta = builder.load(_pointer(context, builder, signature.args[3], thresholds, begin, INT32), align=4)
        reached = builder.icmp_signed(">=", u, theta)
        count.add_incoming(ir.Constant(vector, None), before)
        count.add_incoming(builder.add(count, builder.zext(reached, vector)), loop)
        begin.add_incoming(row, before)
        begin.add_incoming(builder.add(begin, step), loop)
        builder.cbranch(builder.icmp_unsigned("!=", builder.bitcast(reached, INT8), INT8(0)), loop, after)
        builder.position_at_end(after)
        builder.store(count, _pointer(context, builder, signature.args[0], m, at, INT32), align=4)
        return context.get_dummy_value()

    return types.void(m, at, u, thresholds, row, step), generate
