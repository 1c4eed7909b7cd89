/* SPDX-License-Identifier: Apache-2.0 */
#include <shardmill/types.h>

static const struct {
    const char *name;
    size_t nbytes;
} dtypes[] = {
    [MILL_U8] = {"u8", 1},   [MILL_I8] = {"i8", 1},     [MILL_U16] = {"u16", 2}, [MILL_I16] = {"i16", 2},
    [MILL_U32] = {"u32", 4}, [MILL_I32] = {"i32", 4},   [MILL_U64] = {"u64", 8}, [MILL_I64] = {"i64", 8},
    [MILL_F16] = {"f16", 2}, [MILL_BF16] = {"bf16", 2}, [MILL_F32] = {"f32", 4}, [MILL_F64] = {"f64", 8}};

static int known(mill_dtype dtype)
{
    return dtype >= MILL_U8 && dtype <= MILL_F64;
}

size_t mill_dtype_nbytes(mill_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].nbytes : 0;
}

const char *mill_dtype_name(mill_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].name : "none";
}
