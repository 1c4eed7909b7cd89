/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/tar.h: shards of pictures: <key>.jpg, <key>.cls, <key>.json in POSIX tar. */
#ifndef SYNTH_TAR_H
#define SYNTH_TAR_H

#include "picture.h"
#include "shard.h"

/* POSIX ustar; mode, owner and time are constant. */
static void put_member(shard *s, const char *name, const void *data, size_t n)
{
    static const char zeros[512];
    char block[512] = {0};
    unsigned sum = 0;
    snprintf(block, 100, "%s", name);
    memcpy(block + 100, "0000444\0000000000\0000000000", 24);
    snprintf(block + 124, 12, "%011o", (unsigned)n);
    memcpy(block + 136, "00000000000\0        0", 21);
    memcpy(block + 257, "ustar\00000", 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    put(s, block, sizeof block);
    put(s, data, n);
    put(s, zeros, (512 - n % 512) % 512);
}

static void put_sample(shard *s, uint64_t key, uint64_t source, const picture *p)
{
    char name[64], text[512];
    snprintf(name, sizeof name, "%06llu.jpg", (unsigned long long)key);
    put_member(s, name, p->jpeg, p->njpeg);
    snprintf(name, sizeof name, "%06llu.cls", (unsigned long long)key);
    put_member(s, name, text, (size_t)snprintf(text, sizeof text, "%d", p->class_id));
    int n = snprintf(
        text, sizeof text,
        "{\"name\": \"synth-%06llu\", \"class\": %d, \"width\": %d, \"height\": %d, \"quality\": %d, "
        "\"subsampling\": \"%s\", \"progressive\": %s, \"orientation\": %d}",
        (unsigned long long)source, p->class_id, p->width, p->height, p->quality,
        p->ncomponents == 1 ? "grey" : samplings[p->sampling].name, p->progressive ? "true" : "false",
        p->orientation);
    snprintf(name, sizeof name, "%06llu.json", (unsigned long long)key);
    put_member(s, name, text, (size_t)n);
}

/* Pictures that are asked for again (--reuse) are kept encoded. */
static uint64_t make_tar(const options *o)
{
    static const char end[1024];
    palette tones = {0};
    uint64_t nbytes = 0, total = (uint64_t)o->nshards * (uint64_t)o->nsamples;
    uint64_t distinct = o->reuse && (uint64_t)o->reuse < total ? (uint64_t)o->reuse : total;
    picture *kept = distinct < total ? must(calloc(distinct, sizeof *kept)) : NULL;
    for (int i = 0; i < o->nshards; i++) {
        shard s = open_shard(o, i, "tar");
        for (int k = 0; k < o->nsamples; k++) {
            uint64_t key = (uint64_t)i * (uint64_t)o->nsamples + (uint64_t)k, source = key % distinct;
            picture p = kept && kept[source].jpeg ? kept[source] : make_picture(o, &tones, source);
            put_sample(&s, key, source, &p);
            if (kept)
                kept[source] = p;
            else
                free(p.jpeg);
        }
        put(&s, end, sizeof end);
        nbytes += s.nbytes;
        close_shard(&s);
    }
    for (uint64_t i = 0; kept && i < distinct; i++)
        free(kept[i].jpeg);
    free(kept);
    free_palette(&tones);
    return nbytes;
}

#endif
