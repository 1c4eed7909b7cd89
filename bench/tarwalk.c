/* SPDX-License-Identifier: Apache-2.0 */
/* bench/tarwalk.c: how many tar members a second one core walks, the shard in memory, in windows as the
 * engine would give them. tarwalk FILE: walk it; tarwalk --make FILE N: write a shard of N samples of two
 * members (a file of 4000 bytes, a class). The best of several passes counts: the bench asks for the cost of
 * the walk, not of what else the machine does. */
#include "base/clock.h"
#include "base/memory.h"
#include "format/format.h"
#include "registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES = 9, WINDOW = 4 << 20, FILE_NBYTES = 4000 };

static int make(const char *path, int n)
{
    static char zeros[1024], data[(FILE_NBYTES + 511) / 512 * 512];
    mill__buffer out = {0};
    FILE *f = fopen(path, "wb");
    if (!f)
        return perror(path), 1;
    for (int i = 0; i < FILE_NBYTES; i++)
        data[i] = (char)(i * 37 + i / 256);
    int failed = 0;
    for (int i = 0; i < n && !failed; i++) {
        char name[32], label[512] = {0};
        out.nbytes = 0;
        snprintf(name, sizeof name, "%08d.jpg", i);
        failed = mill__tar_header(&out, name, FILE_NBYTES) || mill__buffer_append(&out, data, sizeof data);
        snprintf(name, sizeof name, "%08d.cls", i);
        int digits = snprintf(label, sizeof label, "%d", i % 1000);
        failed = failed || mill__tar_header(&out, name, (uint64_t)digits) ||
                 mill__buffer_append(&out, label, sizeof label) ||
                 fwrite(out.data, 1, out.nbytes, f) != out.nbytes;
    }
    failed = failed || fwrite(zeros, 1, sizeof zeros, f) != sizeof zeros;
    failed = fclose(f) || failed;
    mill__buffer_free(&out);
    return failed ? perror(path), 1 : 0;
}

static int read_all(const char *path, mill__buffer *out)
{
    FILE *f = fopen(path, "rb");
    char *piece = malloc(1 << 20);
    size_t got = 0;
    int failed = !f || !piece;
    while (!failed && (got = fread(piece, 1, 1 << 20, f)) > 0)
        failed = mill__buffer_append(out, piece, got);
    failed = failed || ferror(f);
    if (f)
        fclose(f);
    free(piece);
    return failed;
}

static void count_issue(void *self, const mill_issue *issue)
{
    (void)issue;
    ++*(int64_t *)self;
}

/* Members of one walk; -1: something is wrong with the shard. */
static int64_t walk(const mill__buffer *shard)
{
    int64_t members = 0, issues = 0;
    const mill_shard_info info = {.nbytes = shard->nbytes};
    const mill__report report = {.issue = count_issue, .self = &issues};
    void *walker;
    if (mill__format_tar.open(&mill__format_tar, &walker, &info, -1, 64 << 20, NULL))
        return -1;
    size_t position = 0, need = 0;
    mill_status status = MILL_AGAIN;
    while (status == MILL_AGAIN) {
        size_t left = shard->nbytes - position, wanted = need > WINDOW ? need : WINDOW;
        size_t end = wanted < left ? position + wanted : shard->nbytes;
        do {
            mill__window window = {shard->data + position, end - position, position, end == shard->nbytes};
            mill__sample sample;
            size_t used = 0;
            status = mill__format_tar.next(walker, &window, &report, &sample, &used, &need, NULL);
            position += used;
            if (status == MILL_OK)
                members += sample.nfields;
        } while (status == MILL_OK);
    }
    mill__format_tar.close(walker);
    return status == MILL_END && !issues && position == shard->nbytes ? members : -1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "--make"))
        return make(argv[2], atoi(argv[3]));
    mill__buffer shard = {0};
    if (argc != 2 || read_all(argv[1], &shard))
        return fprintf(stderr, "usage: tarwalk FILE | tarwalk --make FILE SAMPLES\n"), 2;
    int64_t members = 0, best_ns = INT64_MAX;
    for (int i = 0; i < PASSES && members >= 0; i++) {
        int64_t begin = mill__now_ns();
        members = walk(&shard);
        int64_t ns = mill__now_ns() - begin;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    if (members < 0)
        return fprintf(stderr, "the shard is not sound\n"), 1;
    printf("%lld members, %.1f MB: %.0f members/s, %.0f MB/s\n", (long long)members,
           (double)shard.nbytes / 1e6, (double)members * 1e9 / (double)best_ns,
           (double)shard.nbytes * 1e3 / (double)best_ns);
    mill__buffer_free(&shard);
    return 0;
}
