/* SPDX-License-Identifier: Apache-2.0 */
/* Output as NumPy files: those of parts.c, each with the header of .npy. */
#include "format/format.h"
#include "sink/tensors.h"

static const mill__parts_kind kind = {
    .suffix = "npy", .front_nbytes = MILL__NPY_HEADER_NBYTES, .front = mill__npy_header};

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    return mill__tensors_check(config, "npy", err);
}

static mill_status begin(const mill__sink_config *config, const char *name, void **shard, mill_error *err)
{
    return mill__parts_begin(&kind, config, name, shard, err);
}

static const char *const suffixes[] = {"image.npy", "data.npy",   "label.npy", "mask.npy",
                                       "keys.txt",  "json.jsonl", NULL};

const mill__sink_ops mill__sink_npy = {.name = "npy",
                                       .summary = "NumPy files: tensors, labels, keys, mask, one set a shard",
                                       .suffixes = suffixes,
                                       .carries_json = true,
                                       .check = check,
                                       .begin = begin,
                                       .write = mill__parts_write,
                                       .finish = mill__parts_finish,
                                       .abandon = mill__parts_abandon};
