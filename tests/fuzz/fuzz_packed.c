/* SPDX-License-Identifier: Apache-2.0 */
/* Gzip and .npz: the first byte says which. Reads of any piece in any order give the bytes that a read of all
 * gives, whether they are kept or not; and nothing is read beyond the file. */
#include "api/options.h"
#include "base/error.h"
#include "format/inflate.h"
#include "fuzz.h"
#include "registry.h"

typedef struct fuzz_memory {
    const uint8_t *data;
    size_t nbytes;
} fuzz_memory;

static mill_status read_memory(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    (void)err;
    const fuzz_memory *m = handle;
    *got = offset >= m->nbytes ? 0 : m->nbytes - (size_t)offset < n ? m->nbytes - (size_t)offset : n;
    if (*got)
        memcpy(data, m->data + offset, *got);
    return MILL_OK;
}

static void said_why(mill_status status, const mill_error *err)
{
    PROMISE(status == MILL_BAD_DATA || status == MILL_UNSUPPORTED || status == MILL_LIMIT);
    PROMISE(err->kind[0] && err->message[0]);
}

/* All of it, then pieces. What deflate makes of little is at most a thousand times as much. */
static void read_pieces(const mill__bytes *bytes, uint64_t nbytes, uint64_t state)
{
    enum { MOST = 4 << 20 };
    mill_error err;
    size_t got = 0, n = nbytes < MOST ? (size_t)nbytes : MOST;
    uint8_t *all = malloc(n + 1);
    mill_status status = bytes->read(bytes->handle, 0, all, n, &got, &err);
    if (status)
        said_why(status, &err);
    for (int i = 0; i < 12 && !status && n; i++) {
        size_t at = fuzz_draw(&state, (uint32_t)n), piece = fuzz_draw(&state, (uint32_t)(n - at)) + 1;
        uint8_t *part = malloc(piece);
        PROMISE(bytes->read(bytes->handle, at, part, piece, &got, &err) == MILL_OK && got == piece);
        PROMISE(!memcmp(part, all + at, piece));
        free(part);
    }
    free(all);
}

static void fuzz_gzip(const mill__bytes *stored, uint64_t nbytes, uint64_t keep_nbytes, uint64_t state)
{
    const mill__deflated what = {.nbytes = nbytes, .gzip = true, .keep_nbytes = keep_nbytes};
    mill__bytes bytes;
    mill_error err;
    uint64_t inflated = 0;
    mill__error_clear(&err);
    PROMISE(mill__inflate(stored, &what, &bytes, &err) == MILL_OK);
    mill_status status = mill__inflate_measure(&bytes, &inflated, &err);
    if (status)
        said_why(status, &err);
    else
        read_pieces(&bytes, inflated, state);
    bytes.close(bytes.handle);
}

static void fuzz_npz(const mill__bytes *stored, uint64_t nbytes, uint64_t keep_nbytes, uint64_t state)
{
    mill_shard_info info = {.nbytes = nbytes};
    mill__bytes view = {0};
    mill_error err;
    mill_type type;
    mill__error_clear(&err);
    mill_status status = mill__format_npz.view(&mill__format_npz, stored, &info, keep_nbytes, &view, &err);
    if (status) {
        said_why(status, &err);
        return;
    }
    const mill__window none = {.data = (const uint8_t *)""};
    PROMISE(info.layout && mill__format_npz.peek(&mill__format_npz, &info, &none, &type, &err) == MILL_OK);
    read_pieces(&view, info.nbytes, state);
    view.close(view.handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    if (!nbytes)
        return 0;
    uint8_t *copy = fuzz_copy(data + 1, nbytes - 1);
    fuzz_memory memory = {copy, nbytes - 1};
    const mill__bytes stored = {.read = read_memory, .handle = &memory};
    uint64_t state = fuzz_hash(data, nbytes), keep = data[0] & 2 ? 1 << 20 : 0;
    (data[0] & 1 ? fuzz_npz : fuzz_gzip)(&stored, nbytes - 1, keep, state);
    free(copy);
    return 0;
}
