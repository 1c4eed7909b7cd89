/* SPDX-License-Identifier: Apache-2.0 */
/* io_fixture.h: a file of known bytes, engines, and counting what is done. */
#ifndef IO_FIXTURE_H
#define IO_FIXTURE_H

#include "source/source.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_NBYTES (3 * 1024 * 1024 + 123)

static const char *const backends[] = {"uring", "threads"};
enum { NBACKENDS = 2 };

static int file_fd; /* holds byte_at(0), byte_at(1), ... */

static inline uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)((offset * 2654435761u) >> 13);
}

static inline void make_file(void)
{
    file_fd = memfd_create("test_io", MFD_CLOEXEC);
    ck_assert_int_ge(file_fd, 0);
    uint8_t *bytes = malloc(FILE_NBYTES);
    for (uint64_t i = 0; i < FILE_NBYTES; i++)
        bytes[i] = byte_at(i);
    ck_assert_int_eq(write(file_fd, bytes, FILE_NBYTES), FILE_NBYTES);
    free(bytes);
}

static inline void drop_file(void)
{
    close(file_fd);
}

/* NULL after saying so where io_uring is not to be had. */
static inline mill__io *engine(int backend, int depth)
{
    mill__io *io = NULL;
    mill_error err = {0};
    mill_status status =
        mill__io_open(&io, &(mill__io_config){.backend = backends[backend], .depth = depth}, &err);
    if (status == MILL_UNSUPPORTED) {
        printf("skip: %s\n", err.message);
        return NULL;
    }
    ck_assert_msg(status == MILL_OK, "%s", err.message);
    ck_assert_str_eq(mill__io_name(io), backends[backend]);
    return io;
}

/* Counts what is done. */
typedef struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int ndone;
} tally;
/* clang-format off */
#define TALLY {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}
/* clang-format on */

static inline void on_done(mill__io_request *request)
{
    tally *t = request->owner;
    pthread_mutex_lock(&t->mutex);
    t->ndone++;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

static inline void wait_for(tally *t, int n)
{
    pthread_mutex_lock(&t->mutex);
    while (t->ndone < n)
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

static inline mill__io_request read_of(tally *t, int fd, uint64_t offset, void *data, size_t n)
{
    return (mill__io_request){.fd = fd, .offset = offset, .data = data, .n = n, .done = on_done, .owner = t};
}

/* Hand in one request and wait for it. */
static inline void serve(mill__io *io, mill__io_request *request)
{
    tally *t = request->owner;
    int before = t->ndone;
    mill__io_submit(io, request);
    wait_for(t, before + 1);
}

#endif
