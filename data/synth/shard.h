/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/shard.h: files under construction; one under its final name is complete. */
#ifndef SYNTH_SHARD_H
#define SYNTH_SHARD_H

#include "options.h"
#include <errno.h>
#include <string.h>

static _Noreturn void usage(const char *what, const char *value)
{
    fprintf(stderr, "synth: %s%s%s\ntry: synth --help\n", what, value ? ": " : "", value ? value : "");
    exit(2);
}

typedef struct {
    char path[4096], part[4096 + 8];
    FILE *file;
    uint64_t nbytes;
} shard;

static void give_up(const char *what, const char *path)
{
    fprintf(stderr, "synth: %s %s: %s\n", what, path, strerror(errno));
    exit(3);
}

static void put(shard *s, const void *data, size_t n)
{
    if (n && fwrite(data, 1, n, s->file) != n)
        give_up("cannot write", s->part);
    s->nbytes += n;
}

static shard open_shard(const options *o, int number, const char *suffix)
{
    shard s = {0};
    int n = snprintf(s.path, sizeof s.path, "%s/%s-%0*d.%s", o->folder, o->prefix, o->digits, number, suffix);
    if (n < 0 || (size_t)n >= sizeof s.path)
        usage("too long a path", o->folder);
    snprintf(s.part, sizeof s.part, "%s.part", s.path);
    s.file = fopen(s.part, "wb");
    if (!s.file)
        give_up("cannot make", s.part);
    return s;
}

static void close_shard(shard *s)
{
    if (fclose(s->file) || rename(s->part, s->path))
        give_up("cannot finish", s->path);
}

#endif
