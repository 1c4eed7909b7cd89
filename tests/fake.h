/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fake.h: a source of .npy shards that exist in no file: blocking reads with a latency, opens that
 * fail, shards that shrink or change. Row r of shard s holds the number s * 1000000 + r in each of its int32
 * elements. Tests and benches. */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <shardmill/shardmill.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FAKE_HEADER = 128 };

typedef struct fake {
    int rows;                  /* of a shard */
    int (*rows_of)(int shard); /* NULL: rows */
    int elements;              /* int32 of a row */
    int64_t latency_ns;        /* of a read */
    int64_t jitter_ns;         /* up to so much more, differently for every read */
    int fail_open;             /* shard that cannot be opened, -1: none */
    int fail_read;             /* shard whose second half cannot be read, -1: none */
    int shrink;                /* shard that ends early, -1: none */
    bool blocks;               /* reads of shard 0 do not return before released is set */
    atomic_bool released;
    atomic_int opened, reading, most_reading;
    atomic_uint draws;
    void (*on_read)(void); /* called in every read */
    void (*on_read_of)(int shard, uint64_t offset);
    int64_t (*mtime_of)(int shard);        /* NULL: unknown */
    mill_status (*open_status)(int shard); /* NULL: all can be opened, but fail_open */
    atomic_int most_opened;                /* at one time */
    atomic_llong bytes;                    /* read */
} fake;

static inline void fake_most(atomic_int *most, int now)
{
    int seen = atomic_load(most);
    while (now > seen && !atomic_compare_exchange_weak(most, &seen, now))
        continue;
}

typedef struct fake_shard {
    fake *f;
    int index, rows;
    char header[FAKE_HEADER + 1];
} fake_shard;

static inline void fake_sleep(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        continue;
}

static inline uint64_t fake_nbytes(const fake_shard *s)
{
    return FAKE_HEADER + (uint64_t)s->rows * (uint64_t)s->f->elements * 4;
}

static mill_status fake_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                             mill_error *err)
{
    fake *f = user;
    fake_shard *s = calloc(1, sizeof *s);
    if (!s)
        return mill_fail(err, MILL_NO_MEMORY, "memory", "no memory");
    const char *digits = locator + strcspn(locator, "0123456789");
    s->f = f;
    s->index = atoi(digits);
    s->rows = f->rows_of ? f->rows_of(s->index) : f->rows;
    mill_status status = s->index == f->fail_open ? MILL_IO
                         : f->open_status         ? f->open_status(s->index)
                                                  : MILL_OK;
    if (status) {
        free(s);
        return mill_fail(err, status, "io", "shard %s is made to fail", locator);
    }
    char dict[FAKE_HEADER];
    snprintf(dict, sizeof dict, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), }", s->rows,
             f->elements);
    memcpy(s->header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 118 bytes of header follow */
    memset(s->header + 10, ' ', FAKE_HEADER - 10);
    memcpy(s->header + 10, dict, strlen(dict) < FAKE_HEADER - 11 ? strlen(dict) : FAKE_HEADER - 11);
    s->header[FAKE_HEADER - 1] = '\n';
    *info = (mill_shard_info){.nbytes = fake_nbytes(s), .mtime_ns = f->mtime_of ? f->mtime_of(s->index) : 0};
    *handle = s;
    fake_most(&f->most_opened, atomic_fetch_add(&f->opened, 1) + 1);
    return MILL_OK;
}

static void fake_wait(fake_shard *s)
{
    fake *f = s->f;
    fake_most(&f->most_reading, atomic_fetch_add(&f->reading, 1) + 1);
    if (f->on_read)
        f->on_read();
    int64_t ns = f->latency_ns;
    if (f->jitter_ns)
        ns += (atomic_fetch_add(&f->draws, 1) + 1) * 2654435761u % (uint64_t)f->jitter_ns;
    if (ns)
        fake_sleep(ns);
    while (f->blocks && s->index == 0 && !atomic_load(&f->released))
        fake_sleep(1000000);
    atomic_fetch_sub(&f->reading, 1);
}

static mill_status fake_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                             mill_error *err)
{
    fake_shard *s = handle;
    fake *f = s->f;
    if (f->on_read_of)
        f->on_read_of(s->index, offset);
    fake_wait(s);
    atomic_fetch_add(&f->bytes, (long long)n);
    uint64_t nbytes = fake_nbytes(s);
    if (s->index == f->shrink)
        nbytes -= nbytes / 4;
    if (s->index == f->fail_read && offset + n > nbytes / 2)
        return mill_fail(err, MILL_IO, "io", "the second half of shard %d is made to fail", s->index);
    unsigned char *out = data;
    *got = 0;
    while (n && offset < nbytes) {
        if (offset < FAKE_HEADER) {
            *out++ = (unsigned char)s->header[offset++];
            n--;
            ++*got;
            continue;
        }
        uint64_t element = (offset - FAKE_HEADER) / 4;
        uint32_t value = (uint32_t)s->index * 1000000u + (uint32_t)(element / (uint64_t)f->elements);
        size_t at = (offset - FAKE_HEADER) % 4, take = 4 - at < n ? 4 - at : n;
        if (take > nbytes - offset)
            take = (size_t)(nbytes - offset);
        memcpy(out, (char *)&value + at, take);
        out += take;
        offset += take;
        n -= take;
        *got += take;
    }
    return MILL_OK;
}

static void fake_close(void *handle)
{
    fake_shard *s = handle;
    atomic_fetch_sub(&s->f->opened, 1);
    free(s);
}

static const mill_source_ops fake_source = {.struct_nbytes = sizeof(mill_source_ops),
                                            .name = "fake",
                                            .summary = "shards that exist in no file",
                                            .open = fake_open,
                                            .read = fake_read,
                                            .close = fake_close};

#endif
