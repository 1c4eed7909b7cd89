/* SPDX-License-Identifier: Apache-2.0 */
/* source/source.h: which shards a data-set spec names, and reading their bytes without holding a compute
 * thread. */
#ifndef MILL_SOURCE_SOURCE_H
#define MILL_SOURCE_SOURCE_H

#include <shardmill/extend.h>
#include <stdbool.h>

/* ---- spec.c: data-set specs ---- */

typedef struct mill__shard_name {
    char *locator;       /* path as given (braces, globs and lists expanded) */
    char *name;          /* for output files: the path behind the common folder, without its
                            extension, '/' turned into '_' */
    int64_t class_index; /* a class folder's ordinal in its data set, else -1 */
    bool is_folder;
} mill__shard_name;

/* Expand spec: several joined by blanks or newlines ("quotes" and backslash protect); each a file, a folder,
 * braces {000..005} {a,b}, globs, @list.txt (one spec a line, # comments; relative to the list's folder). A
 * folder that holds files with one of extensions (e.g. ".tar .npy") stands for those, sorted by name; else,
 * if it has subfolders, each is a shard (a class, sorted by bytes); else it is itself one shard. Order: as
 * written, braces left to right, globs and folders sorted by bytes. Nothing matched: MILL_USAGE. Touches only
 * the folders it must list (first sample within 100 ms on 1000 shards): plain files and braces are not
 * stat'ed except to tell files from folders. plain: expand braces and lists only (locators of a custom
 * source). */
mill_status mill__spec_expand(const char *spec, const char *extensions, bool plain, mill__shard_name **shards,
                              size_t *n, mill_error *err);
/* Two shards of one name cannot both be written: MILL_USAGE. */
mill_status mill__spec_check_names(const mill__shard_name *shards, size_t n, mill_error *err);
void mill__spec_free(mill__shard_name *shards, size_t n);

/* ---- io.c: the I/O engine ---- */

typedef struct mill__io mill__io;
typedef struct mill__io_request mill__io_request;
struct mill__io_request {
    /* A read: fd >= 0 (reads n bytes at offset into data), or read on handle. A job: call(arg). */
    int fd;
    mill_status (*read)(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err);
    void *handle;
    void (*call)(void *arg);
    void *arg;
    uint64_t offset;
    void *data;
    size_t n;
    size_t got;         /* out: bytes read; < n only at the end of the file */
    mill_status status; /* out */
    mill_error error;   /* out, when status is not MILL_OK */
    int64_t begin_ns;   /* out: when it was handed in */
    /* Called once on an I/O thread (never inside mill__io_submit) when it is done. */
    void (*done)(mill__io_request *request);
    void *owner;
    mill__io_request *next; /* the engine's */
};

typedef struct mill__io_config {
    const char *backend;       /* "auto", "uring", "threads" */
    int depth;                 /* most threads of the pool, and reads in flight that are expected */
    struct mill__trace *trace; /* spans named "read" on the I/O threads' lanes */
    const void *cpus;          /* cpu_set_t for the threads (1024 CPUs), or NULL */
} mill__io_config;

/* "uring" where the kernel forbids it: MILL_UNSUPPORTED; "auto" falls back to threads. Pool threads are
 * started when needed, all signals blocked in them. */
mill_status mill__io_open(mill__io **io, const mill__io_config *config, mill_error *err);
const char *mill__io_name(const mill__io *io); /* "uring" or "threads" */
void mill__io_submit(mill__io *io,
                     mill__io_request *request); /* never blocks for long, never fails: errors come by done */
/* What lies in the page cache is copied from there by whoever needs it, a compute thread that is: no other
 * thread has to be woken, and the bytes end up in the caches of the core that works on them.
 *
 * expects_cached: whether that is worth a try, as it has been lately. take_cached: try; true: all n bytes are
 * there, and done() is not called. Else hand the request in. Nothing is waited for. */
bool mill__io_expects_cached(mill__io *io, const mill__io_request *request);
bool mill__io_take_cached(mill__io *io, mill__io_request *request);
int64_t mill__io_in_flight(mill__io *io);
void mill__io_close(mill__io *io); /* waits for what is in flight; NULL is fine */

#endif
