/* SPDX-License-Identifier: Apache-2.0 */
/* token_fixture.h: a source of token shards in memory, named by their ordinals; token number k of the data
 * set is k. With headers of llm.c or plain; shards that cannot be opened, that have another dtype, that
 * shrink. */
#ifndef TOKEN_FIXTURE_H
#define TOKEN_FIXTURE_H

#include <check.h>
#include <shardmill/shardmill.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 40 };

typedef struct text {
    int n;
    uint32_t lengths[MOST_SHARDS]; /* tokens */
    size_t token;                  /* bytes */
    bool headers;
    bool closed[MOST_SHARDS];  /* cannot be opened */
    bool other[MOST_SHARDS];   /* tokens of the other dtype; with headers */
    int changes;               /* shard that has another size when it is opened again; -1: none */
    int short_of[MOST_SHARDS]; /* how often it cannot be opened for want of descriptors */
    atomic_int opens[MOST_SHARDS];
    atomic_int open;
} text;

typedef struct text_shard {
    text *t;
    size_t nbytes;
    uint8_t data[];
} text_shard;

static inline size_t text_token(const text *t, int i)
{
    return t->other[i] ? 6 - t->token : t->token;
}

static inline uint32_t text_begin(const text *t, int i)
{
    uint32_t first = 0;
    for (int k = 0; k < i; k++)
        first += t->lengths[k];
    return first;
}

static inline mill_status text_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                                    mill_error *err)
{
    text *t = user;
    int i = atoi(locator + strcspn(locator, "0123456789")), before = atomic_fetch_add(&t->opens[i], 1);
    if (before < t->short_of[i]) {
        mill_fail(err, MILL_IO, "io", "%s: too many open files", locator);
        err->os_error = 24; /* EMFILE */
        return MILL_IO;
    }
    if (t->closed[i])
        return mill_fail(err, MILL_IO, "io", "%s is closed", locator);
    size_t token = text_token(t, i), header = t->headers ? 1024 : 0;
    uint32_t n = t->lengths[i] - (i == t->changes && before), first = text_begin(t, i);
    text_shard *s = calloc(1, sizeof *s + header + n * token + 1);
    *s = (text_shard){.t = t, .nbytes = header + n * token};
    const uint32_t head[3] = {token == 2 ? 20240520 : 20240801, token == 2 ? 1 : 7, n};
    memcpy(s->data, head, header ? sizeof head : 0);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t value = first + k;
        memcpy(s->data + header + k * token, &value, token);
    }
    *info = (mill_shard_info){.nbytes = s->nbytes, .mtime_ns = 1};
    *handle = s;
    atomic_fetch_add(&t->open, 1);
    return MILL_OK;
}

static inline mill_status text_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                                    mill_error *err)
{
    (void)err;
    const text_shard *s = handle;
    size_t left = offset < s->nbytes ? s->nbytes - offset : 0;
    *got = n < left ? n : left;
    memcpy(data, s->data + (left ? offset : 0), *got);
    return MILL_OK;
}

static inline void text_close(void *handle)
{
    atomic_fetch_sub(&((text_shard *)handle)->t->open, 1);
    free(handle);
}

static const mill_source_ops text_source = {.struct_nbytes = sizeof(mill_source_ops),
                                            .name = "text",
                                            .summary = "token shards in memory",
                                            .open = text_open,
                                            .read = text_read,
                                            .close = text_close};

static inline uint32_t token_at(const text *t, const void *data, size_t k)
{
    uint32_t value = 0;
    memcpy(&value, (const uint8_t *)data + k * t->token, t->token);
    return value;
}

#endif
