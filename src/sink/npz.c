/* SPDX-License-Identifier: Apache-2.0 */
/* Output as a NumPy archive: NAME.npz with the arrays of container.c as .npy members, stored, as np.savez
 * does. Equal input gives equal bytes. */
#include "base/error.h"
#include "format/format.h"
#include "format/inflate.h"
#include "format/zip.h"
#include "sink/tensors.h"
#include <stdio.h>
#include <string.h>

static void name_member(char name[16], const char *array)
{
    snprintf(name, 16, "%s.npy", array);
}

static size_t front_nbytes(const mill_type *type)
{
    char name[16];
    name_member(name, mill__tensors_name(type));
    return MILL__ZIP_LOCAL_NBYTES(strlen(name)) + MILL__NPY_HEADER_NBYTES;
}

/* The local header of a member, and the header of its array. crc: of the rest of the member. */
static mill_status put_headers(mill__buffer *out, mill__zip_member *m, const mill__container_array *array,
                               uint64_t rows, uint32_t crc, mill_error *err)
{
    char npy[MILL__NPY_HEADER_NBYTES];
    mill_status status = mill__npy_header(npy, &array->type, (int64_t)rows, err);
    if (status)
        return status;
    m->nbytes = sizeof npy + array->nbytes;
    m->crc = mill__crc32_join(mill__crc32(0, npy, sizeof npy), crc, array->nbytes);
    return mill__zip_local(out, m) || mill__buffer_append(out, npy, sizeof npy)
               ? mill__no_memory(err, sizeof npy, "a header of an output file")
               : MILL_OK;
}

/* The arrays behind the rows. *at: where the file ends. */
static mill_status write_others(mill__file *file, const mill__container_array *arrays, size_t n,
                                uint64_t rows, mill__zip_member *members, uint64_t *at, mill_error *err)
{
    mill_status status = MILL_OK;
    for (size_t i = 1; i < n && !status; i++) {
        mill__buffer headers = {0};
        uint32_t crc = mill__crc32(0, arrays[i].data, (size_t)arrays[i].nbytes);
        members[i].header = *at;
        status = put_headers(&headers, &members[i], &arrays[i], rows, crc, err);
        if (!status)
            status = mill__file_write(file, headers.data, headers.nbytes, err);
        if (!status)
            status = mill__file_write(file, arrays[i].data, (size_t)arrays[i].nbytes, err);
        *at += headers.nbytes + arrays[i].nbytes;
        mill__buffer_free(&headers);
    }
    return status;
}

static mill_status write_directory(mill__file *file, const mill__zip_member *members, size_t n, uint64_t at,
                                   mill_error *err)
{
    mill__buffer directory = {0};
    int failed = 0;
    for (size_t i = 0; i < n; i++)
        failed |= mill__zip_central(&directory, &members[i]);
    failed |= mill__zip_end(&directory, n, at, directory.nbytes);
    mill_status status = failed ? mill__no_memory(err, directory.nbytes, "the directory of an output file")
                                : mill__file_write(file, directory.data, directory.nbytes, err);
    mill__buffer_free(&directory);
    return status;
}

static mill_status finish(mill__file *file, const mill__container_array *arrays, size_t n, uint64_t rows,
                          uint32_t crc, mill_error *err)
{
    enum { MOST = 3 };
    char names[MOST][16];
    mill__zip_member members[MOST] = {{0}};
    mill__buffer front = {0};
    for (size_t i = 0; i < n && i < MOST; i++) {
        name_member(names[i], arrays[i].name);
        members[i].name = names[i];
    }
    mill_status status = put_headers(&front, &members[0], &arrays[0], rows, crc, err);
    uint64_t at = front.nbytes + arrays[0].nbytes;
    if (!status)
        status = write_others(file, arrays, n, rows, members, &at, err);
    if (!status)
        status = write_directory(file, members, n, at, err);
    if (!status)
        status = mill__file_front(file, front.data, front.nbytes, err);
    mill__buffer_free(&front);
    return status;
}

static const mill__container_kind kind = {
    .suffix = "npz", .front_nbytes = front_nbytes, .checksum = true, .finish = finish};

static mill_status check(const mill__sink_config *config, mill_error *err)
{
    return mill__tensors_check(config, "npz", err);
}

static mill_status begin(const mill__sink_config *config, const char *name, void **shard, mill_error *err)
{
    return mill__container_begin(&kind, config, name, shard, err);
}

static const char *const suffixes[] = {"npz", "keys.txt", NULL};

const mill__sink_ops mill__sink_npz = {.name = "npz",
                                       .summary = "one NumPy archive a shard: tensors, labels, mask; keys",
                                       .suffixes = suffixes,
                                       .check = check,
                                       .begin = begin,
                                       .write = mill__container_write,
                                       .finish = mill__container_finish,
                                       .abandon = mill__container_abandon};
