/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/tar.h: shards of pictures: <key>.jpg, <key>.cls, <key>.json in POSIX tar. */
#ifndef SYNTH_TAR_H
#define SYNTH_TAR_H

#include "picture.h"
#include "shard.h"

/* What --spoil does to a sample, by its number in the shard, in turn. */
enum spoiled {
    SOUND,
    CUT_IMAGE,
    WORD_AS_CLASS,
    NO_IMAGE,
    ZEROS_IN_IMAGE,
    EMPTY_IMAGE,
    WRONG_CHECKSUM,
    SOUND_AGAIN,
    NSPOILED
};

/* POSIX ustar; mode, owner and time are constant. */
static void put_member(shard *s, const char *name, const void *data, size_t n, bool wrong_checksum)
{
    static const char zeros[512];
    char block[512] = {0};
    unsigned sum = wrong_checksum;
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

static void put_image(shard *s, const char *name, const picture *p, enum spoiled spoiled)
{
    size_t n = spoiled == CUT_IMAGE ? p->njpeg / 2 : spoiled == EMPTY_IMAGE ? 0 : p->njpeg;
    unsigned char *jpeg = must(malloc(p->njpeg));
    memcpy(jpeg, p->jpeg, p->njpeg);
    if (spoiled == ZEROS_IN_IMAGE)
        memset(jpeg + n / 2, 0, n / 8);
    if (spoiled != NO_IMAGE)
        put_member(s, name, jpeg, n, spoiled == WRONG_CHECKSUM);
    free(jpeg);
}

static void put_sample(shard *s, uint64_t key, uint64_t source, const picture *p, enum spoiled spoiled)
{
    char name[64], text[512];
    snprintf(name, sizeof name, "%06llu.jpg", (unsigned long long)key);
    put_image(s, name, p, spoiled);
    snprintf(name, sizeof name, "%06llu.cls", (unsigned long long)key);
    snprintf(text, sizeof text, "%d", p->class_id);
    const char *class_text = spoiled == WORD_AS_CLASS ? "cat" : text;
    put_member(s, name, class_text, strlen(class_text), false);
    int n = snprintf(
        text, sizeof text,
        "{\"name\": \"synth-%06llu\", \"class\": %d, \"width\": %d, \"height\": %d, \"quality\": %d, "
        "\"subsampling\": \"%s\", \"progressive\": %s, \"orientation\": %d}",
        (unsigned long long)source, p->class_id, p->width, p->height, p->quality,
        p->ncomponents == 1 ? "grey" : samplings[p->sampling].name, p->progressive ? "true" : "false",
        p->orientation);
    snprintf(name, sizeof name, "%06llu.json", (unsigned long long)key);
    put_member(s, name, text, (size_t)n, false);
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
            put_sample(&s, key, source, &p, o->spoil ? k % NSPOILED : SOUND);
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
