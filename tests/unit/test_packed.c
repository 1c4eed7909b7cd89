/* SPDX-License-Identifier: Apache-2.0 */
/* test_packed.c: what is compressed shows the same bytes wherever one begins to read, whether it is kept or
 * inflated again, from one thread or several; what is broken anywhere is refused before anything is shown.
 * And archives of our own are read again. */
#include "base/memory.h"
#include "format/inflate.h"
#include "format/zip.h"
#include "registry.h"
#include "unit/rows_fixture.h"
#include <pthread.h>
#include <zlib.h>

/* ---- a shard in memory ---- */

typedef struct memory {
    const uint8_t *data;
    size_t nbytes;
    size_t fails_at; /* reads that reach it fail; 0: none */
} memory;

static mill_status read_memory(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    const memory *m = handle;
    if (m->fails_at && offset + n > m->fails_at)
        return mill_fail(err, MILL_IO, "io", "a bad block");
    *got = offset >= m->nbytes ? 0 : m->nbytes - (size_t)offset < n ? m->nbytes - (size_t)offset : n;
    if (*got)
        memcpy(data, m->data + offset, *got);
    return MILL_OK;
}

static mill__bytes bytes_of(memory *m)
{
    return (mill__bytes){.read = read_memory, .handle = m};
}

/* Something that compresses, but not to nothing. */
static void fill(uint8_t *data, size_t nbytes)
{
    uint32_t x = 1;
    for (size_t i = 0; i < nbytes; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24 & (x & 0x10000 ? 0xff : 3));
    }
}

/* windowBits as zlib takes them: 31 gzip, -15 bare. */
static void pack(mill__buffer *out, const uint8_t *data, size_t nbytes, int window_bits, int level)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, nbytes);
    uint8_t *packed = malloc(bound);
    z.next_in = (uint8_t *)(uintptr_t)data;
    z.avail_in = (unsigned)nbytes;
    z.next_out = packed;
    z.avail_out = (unsigned)bound;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    mill__buffer_append(out, packed, z.total_out);
    deflateEnd(&z);
    free(packed);
}

/* ---- gzip ---- */

enum { NBYTES = 9 << 20 };

/* 9 MiB in members of all sizes. */
static uint8_t *make_members(mill__buffer *gz)
{
    uint8_t *data = malloc(NBYTES);
    static const size_t ends[] = {0, 1, 70000, 70000, 4 << 20, NBYTES};
    fill(data, NBYTES);
    for (int i = 0; i < 5; i++)
        pack(gz, data + ends[i], ends[i + 1] - ends[i], 31, i == 4 ? 9 : 1);
    return data;
}

static mill__bytes open_gzip(memory *m, uint64_t keep_nbytes)
{
    const mill__bytes stored = bytes_of(m);
    const mill__deflated what = {.nbytes = m->nbytes, .gzip = true, .keep_nbytes = keep_nbytes};
    mill__bytes bytes;
    ck_assert_int_eq(mill__inflate(&stored, &what, &bytes, NULL), MILL_OK);
    return bytes;
}

static void assert_piece(const mill__bytes *bytes, const uint8_t *data, size_t at, size_t n)
{
    uint8_t *piece = malloc(n);
    size_t got;
    mill_error err;
    HOLDS(!bytes->read(bytes->handle, at, piece, n, &got, &err), "at %zu: %s", at, err.message);
    HOLDS(got == n && !memcmp(piece, data + at, n), "%zu bytes at %zu are others, or %zu", n, at, got);
    free(piece);
}

static void assert_pieces(const mill__bytes *bytes, const uint8_t *data)
{
    uint32_t x = 7;
    for (size_t at = 0; at < NBYTES; at += 1 << 20) /* in order */
        assert_piece(bytes, data, at, 1 << 20);
    for (int i = 0; i < 25; i++) { /* anywhere */
        x = x * 1664525 + 1013904223;
        size_t at = x % NBYTES, n = 1 + x / 7 % 5000;
        assert_piece(bytes, data, at, at + n < NBYTES ? n : NBYTES - at);
    }
}

START_TEST(gzip_is_the_same_wherever_one_begins)
{
    mill__buffer gz = {0};
    uint8_t *data = make_members(&gz);
    memory m = {gz.data, gz.nbytes, 0};
    static const uint64_t keeps[] = {0, 1000, NBYTES / 2, NBYTES + (1 << 20)};
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        mill__bytes bytes = open_gzip(&m, keeps[i]);
        uint64_t nbytes;
        size_t got = 1;
        char more[8];
        ck_assert_int_eq(mill__inflate_measure(&bytes, &nbytes, NULL), MILL_OK);
        ck_assert_uint_eq(nbytes, NBYTES);
        assert_pieces(&bytes, data);
        ck_assert_int_eq(bytes.read(bytes.handle, NBYTES, more, 8, &got, NULL), MILL_OK);
        ck_assert_uint_eq(got, 0);
        ck_assert_int_eq(bytes.read(bytes.handle, NBYTES - 3, more, 8, &got, NULL), MILL_OK);
        ck_assert_uint_eq(got, 3);
        bytes.close(bytes.handle);
    }
    free(data);
    mill__buffer_free(&gz);
}
END_TEST

START_TEST(a_head_is_read_alone)
{
    mill__buffer gz = {0};
    uint8_t *data = make_members(&gz);
    memory m = {gz.data, gz.nbytes, 400000}; /* what lies behind cannot be read */
    mill__bytes bytes = open_gzip(&m, 0);
    uint8_t byte;
    size_t got;
    assert_piece(&bytes, data, 0, 60000);
    ck_assert_int_eq(bytes.read(bytes.handle, 4 << 20, &byte, 1, &got, NULL), MILL_IO);
    ck_assert_int_eq(bytes.read(bytes.handle, 4 << 20, &byte, 1, &got, NULL), MILL_IO); /* and stays so */
    assert_piece(&bytes, data, 100, 60000);
    bytes.close(bytes.handle);
    free(data);
    mill__buffer_free(&gz);
}
END_TEST

typedef struct reader {
    pthread_t thread;
    const mill__bytes *bytes;
    const uint8_t *data;
} reader;

static void *read_all(void *arg)
{
    const reader *r = arg;
    assert_pieces(r->bytes, r->data);
    return NULL;
}

START_TEST(threads_read_at_once)
{
    mill__buffer gz = {0};
    uint8_t *data = make_members(&gz);
    memory m = {gz.data, gz.nbytes, 0};
    for (int keeps = 0; keeps < 2; keeps++) {
        mill__bytes bytes = open_gzip(&m, keeps ? NBYTES + (1 << 20) : 0);
        reader readers[4];
        for (int i = 0; i < 4; i++) {
            readers[i] = (reader){.bytes = &bytes, .data = data};
            pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
        }
        for (int i = 0; i < 4; i++)
            pthread_join(readers[i].thread, NULL);
        bytes.close(bytes.handle);
    }
    free(data);
    mill__buffer_free(&gz);
}
END_TEST

/* Nothing of it is shown. Flips that harm nothing are those of the header's time and system. */
START_TEST(a_flip_anywhere_is_found)
{
    uint8_t data[3000];
    mill__buffer gz = {0};
    fill(data, sizeof data);
    pack(&gz, data, 1000, 31, 6);
    pack(&gz, data + 1000, 2000, 31, 6);
    int harmless = 0;
    for (size_t i = 0; i < gz.nbytes * 8; i++) {
        gz.data[i / 8] ^= (uint8_t)(1 << i % 8);
        memory m = {gz.data, gz.nbytes, 0};
        mill__bytes bytes = open_gzip(&m, 0);
        mill_error err;
        uint64_t nbytes;
        mill_status status = mill__inflate_measure(&bytes, &nbytes, &err);
        HOLDS(!status || (status == MILL_BAD_DATA && err.kind[0]), "bit %zu: %s", i, err.message);
        harmless += !status;
        if (!status)
            assert_piece(&bytes, data, 0, sizeof data);
        bytes.close(bytes.handle);
        gz.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    ck_assert_int_le(harmless, 2 * (8 * 6 + 1 + 7)); /* and "is text", and what fills the last byte */
    for (size_t n = 0; n < gz.nbytes; n++) {
        memory m = {gz.data, n, 0};
        mill__bytes bytes = open_gzip(&m, 0);
        uint64_t nbytes = 0;
        mill_status status = mill__inflate_measure(&bytes, &nbytes, NULL);
        HOLDS(status == MILL_BAD_DATA || nbytes == 1000, "%zu bytes of %zu", n, gz.nbytes);
        bytes.close(bytes.handle);
    }
    mill__buffer_free(&gz);
}
END_TEST

START_TEST(bare_deflate_must_be_what_was_promised)
{
    uint8_t data[200000], byte;
    size_t got;
    mill__buffer packed = {0};
    fill(data, sizeof data);
    mill__buffer_append(&packed, "front", 5);
    pack(&packed, data, sizeof data, -15, 6);
    memory m = {packed.data, packed.nbytes, 0};
    const mill__bytes stored = bytes_of(&m);
    const mill__deflated good = {.offset = 5,
                                 .nbytes = packed.nbytes - 5,
                                 .inflated_nbytes = sizeof data,
                                 .crc = mill__crc32(0, data, sizeof data)};
    for (int i = 0; i < 6; i++) {
        static const char *const kinds[] = {NULL, "checksum", "size", "size", "truncated", "trailing"};
        mill__deflated what = good;
        mill__bytes bytes;
        mill_error err;
        what.crc ^= i == 1;
        what.inflated_nbytes += i == 2 ? 1 : i == 3 ? (uint64_t)-1 : 0;
        what.nbytes -= i == 4;
        packed.data[0] = 0;
        if (i == 5)
            mill__buffer_append(&packed, "more", 4);
        m = (memory){packed.data, packed.nbytes, 0};
        what.nbytes += i == 5 ? 4 : 0;
        ck_assert_int_eq(mill__inflate(&stored, &what, &bytes, NULL), MILL_OK);
        mill_status status = bytes.read(bytes.handle, 150000, &byte, 1, &got, &err);
        HOLDS(kinds[i] ? status == MILL_BAD_DATA && !strcmp(err.kind, kinds[i])
                       : !status && byte == data[150000],
              "%d: %s", i, status ? err.kind : "fine");
        bytes.close(bytes.handle);
    }
    mill__buffer_free(&packed);
}
END_TEST

/* ---- zip ---- */

START_TEST(our_archives_are_read_again)
{
    static char *const names[] = {"a.npy", "bb.npy"};
    mill__buffer zip = {0}, directory = {0};
    mill__zip_member members[2] = {{0}};
    mill__zip read;
    for (int i = 0; i < 2; i++) {
        members[i] = (mill__zip_member){
            .name = names[i], .header = zip.nbytes, .nbytes = 7, .crc = mill__crc32(0, "content", 7)};
        ck_assert(!mill__zip_local(&zip, &members[i]));
        ck_assert_uint_eq(zip.nbytes - members[i].header, MILL__ZIP_LOCAL_NBYTES(strlen(names[i])));
        mill__buffer_append(&zip, "content", 7);
        ck_assert(!mill__zip_central(&directory, &members[i]));
    }
    uint64_t at = zip.nbytes;
    mill__buffer_append(&zip, directory.data, directory.nbytes);
    ck_assert(!mill__zip_end(&zip, 2, at, directory.nbytes));
    memory m = {zip.data, zip.nbytes, 0};
    const mill__bytes stored = bytes_of(&m);
    ck_assert_int_eq(mill__zip_read(&stored, zip.nbytes, &read, NULL), MILL_OK);
    ck_assert_uint_eq(read.n, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(read.members[i].name, names[i]);
        ck_assert(read.members[i].nbytes == 7 && !read.members[i].deflated);
        ck_assert_mem_eq(zip.data + read.members[i].offset, "content", 7);
    }
    mill__zip_free(&read);
    mill__buffer_free(&zip);
    mill__buffer_free(&directory);
}
END_TEST

/* A file of more than 4 GiB, most of which is not there. */
typedef struct far_end {
    const mill__buffer *local, *end;
    uint64_t at;
} far_end;

static mill_status read_far(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)err;
    const far_end *f = handle;
    const mill__buffer *from = offset < f->at ? f->local : f->end;
    uint64_t inside = offset < f->at ? offset : offset - f->at;
    memset(data, 0, n);
    for (size_t i = 0; i < n; i++)
        if (inside + i < from->nbytes)
            ((uint8_t *)data)[i] = from->data[inside + i];
        else if (offset < f->at && offset + i >= f->at && offset + i - f->at < f->end->nbytes)
            ((uint8_t *)data)[i] = f->end->data[offset + i - f->at];
    *got = n;
    return MILL_OK;
}

START_TEST(archives_beyond_4_gib)
{
    mill__buffer local = {0}, end = {0};
    mill__zip_member member = {.name = (char *)(uintptr_t) "x.npy", .nbytes = 5000000000u};
    mill__zip read;
    ck_assert(!mill__zip_local(&local, &member) && !mill__zip_central(&end, &member));
    far_end f = {&local, &end, local.nbytes + member.nbytes};
    ck_assert(!mill__zip_end(&end, 1, f.at, end.nbytes));
    const mill__bytes stored = {.read = read_far, .handle = &f};
    mill_error err;
    ck_assert_msg(!mill__zip_read(&stored, f.at + end.nbytes, &read, &err), "%s", err.message);
    ck_assert_uint_eq(read.n, 1);
    ck_assert_uint_eq(read.members[0].nbytes, 5000000000u);
    ck_assert_uint_eq(read.members[0].offset, local.nbytes);
    mill__zip_free(&read);
    mill__buffer_free(&local);
    mill__buffer_free(&end);
}
END_TEST

START_TEST(names_of_npz_are_checked)
{
    assert_no_format("npz:data=0123456789012345678901234567890123456789012345678901234567890", "55 bytes");
    assert_no_format("npz:x:y:z", "npz");
}
END_TEST

RUN_SUITE("packed", gzip_is_the_same_wherever_one_begins, a_head_is_read_alone, threads_read_at_once,
          a_flip_anywhere_is_found, bare_deflate_must_be_what_was_promised, our_archives_are_read_again,
          archives_beyond_4_gib, names_of_npz_are_checked)
