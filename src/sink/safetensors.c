/* SPDX-License-Identifier: Apache-2.0 */
/* Output as safetensors: NAME.safetensors with the arrays of container.c. The header is padded with blanks,
 * so that rows begin at a multiple of 64. */
#include "base/error.h"
#include "sink/tensors.h"
#include <inttypes.h>

enum { FRONT_NBYTES = 1024 };

static size_t front_nbytes(const mill_type *type)
{
    (void)type;
    return FRONT_NBYTES;
}

/* One entry of the header; *end is where the tensor before it ended. */
static void put_tensor(mill__buffer *header, const mill__container_array *array, uint64_t rows, uint64_t *end)
{
    static const char *const dtypes[] = {
        [MILL_U8] = "U8",   [MILL_I8] = "I8",     [MILL_U16] = "U16", [MILL_I16] = "I16",
        [MILL_U32] = "U32", [MILL_I32] = "I32",   [MILL_U64] = "U64", [MILL_I64] = "I64",
        [MILL_F16] = "F16", [MILL_BF16] = "BF16", [MILL_F32] = "F32", [MILL_F64] = "F64"};
    const mill_type *type = &array->type;
    mill__buffer_printf(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%" PRIu64, *end ? "," : "",
                        array->name, dtypes[type->dtype], rows);
    for (int i = 0; i < type->rank; i++)
        mill__buffer_printf(header, ",%" PRId64, type->shape[i]);
    mill__buffer_printf(header, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *end, *end + array->nbytes);
    *end += array->nbytes;
}

static mill_status write_front(mill__file *file, const mill__container_array *arrays, size_t n, uint64_t rows,
                               mill_error *err)
{
    mill__buffer header = {0};
    uint64_t end = 0;
    mill__buffer_append(&header, "\0\0\0\0\0\0\0\0{", 9); /* the length in front of the JSON, little-endian */
    for (size_t i = 0; i < n; i++)
        put_tensor(&header, &arrays[i], rows, &end);
    mill__buffer_append(&header, "}", 1);
    while (header.data && header.nbytes < FRONT_NBYTES && !mill__buffer_append(&header, " ", 1))
        ;
    mill_status status = header.data && header.nbytes == FRONT_NBYTES
                             ? MILL_OK
                             : mill__no_memory(err, FRONT_NBYTES, "the header of an output file");
    for (int i = 0; i < 8 && !status; i++)
        header.data[i] = (uint8_t)((uint64_t)(FRONT_NBYTES - 8) >> 8 * i);
    if (!status)
        status = mill__file_front(file, header.data, FRONT_NBYTES, err);
    mill__buffer_free(&header);
    return status;
}

static mill_status finish(mill__file *file, const mill__container_array *arrays, size_t n, uint64_t rows,
                          uint32_t crc, mill_error *err)
{
    (void)crc;
    mill_status status = MILL_OK;
    for (size_t i = 1; i < n && !status; i++)
        status = mill__file_write(file, arrays[i].data, (size_t)arrays[i].nbytes, err);
    return status ? status : write_front(file, arrays, n, rows, err);
}

static const mill__container_kind kind = {
    .suffix = "safetensors", .front_nbytes = front_nbytes, .finish = finish};

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    return mill__tensors_check(config, "safetensors", err);
}

static mill_status begin(const mill__sink_config *config, const char *name, void **shard, mill_error *err)
{
    return mill__container_begin(&kind, config, name, shard, err);
}

static const char *const suffixes[] = {"safetensors", "keys.txt", NULL};

const mill__sink_ops mill__sink_safetensors = {
    .name = "safetensors",
    .summary = "one safetensors file a shard: tensors, labels, mask; keys",
    .suffixes = suffixes,
    .check = check,
    .begin = begin,
    .write = mill__container_write,
    .finish = mill__container_finish,
    .abandon = mill__container_abandon};
