/* SPDX-License-Identifier: Apache-2.0 */
/* Output as rows and nothing else: the files of parts.c without headers, little-endian. NAME.raw.json says
 * what they are, and how they are named as a shard format to be read again. */
#include "sink/tensors.h"
#include <inttypes.h>

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    return mill__tensors_check(config, "raw", err);
}

static int describe(mill__buffer *out, const char *array, const mill_type *type, int64_t rows)
{
    const char *dtype = mill_dtype_name(type->dtype);
    int failed =
        mill__buffer_printf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRId64, array, dtype, rows);
    for (int i = 0; i < type->rank; i++)
        failed |= mill__buffer_printf(out, ",%" PRId64, type->shape[i]);
    failed |= mill__buffer_printf(out, "],\"format\":\"raw:%s:", dtype);
    for (int i = 0; i < type->rank; i++)
        failed |= mill__buffer_printf(out, "%s%" PRId64, i ? "x" : "", type->shape[i]);
    return failed | mill__buffer_printf(out, "%s%s\"}", type->rank ? "" : "1",
                                        type->layout == MILL_HWC   ? ":layout=hwc"
                                        : type->layout == MILL_CHW ? ":layout=chw"
                                                                   : "");
}

static const mill__parts_kind kind = {.suffix = "raw", .describe = describe};

static mill_status begin(const mill__sink_config *config, const char *name, void **shard, mill_error *err)
{
    return mill__parts_begin(&kind, config, name, shard, err);
}

static const char *const suffixes[] = {"image.raw", "data.raw",   "label.raw", "mask.raw",
                                       "keys.txt",  "json.jsonl", "raw.json",  NULL};

const mill__sink_ops mill__sink_raw = {
    .name = "raw",
    .summary = "rows without headers: tensors, labels, keys, mask, one set a shard, and what they are",
    .suffixes = suffixes,
    .carries_json = true,
    .check = check,
    .begin = begin,
    .write = mill__parts_write,
    .finish = mill__parts_finish,
    .abandon = mill__parts_abandon};
