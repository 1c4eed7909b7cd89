/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h: what the fuzz targets share. Each is a libFuzzer entry point; built with MILL_FUZZ_MAIN it is a
 * program that runs the files and folders it is given, with any compiler. Input is copied to heap blocks of
 * exactly its size: AddressSanitizer is the guard. */
#ifndef MILL_FUZZ_H
#define MILL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

/* A promise that must hold on any input. */
#define PROMISE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

static inline uint8_t *fuzz_copy(const void *data, size_t nbytes)
{
    uint8_t *copy = malloc(nbytes ? nbytes : 1);
    PROMISE(copy);
    if (nbytes)
        memcpy(copy, data, nbytes);
    return copy;
}

/* NUL-terminated. */
static inline char *fuzz_text(const void *data, size_t nbytes)
{
    char *text = malloc(nbytes + 1);
    PROMISE(text);
    if (nbytes)
        memcpy(text, data, nbytes);
    text[nbytes] = 0;
    return text;
}

/* Numbers that follow from the input alone, for what the input does not say. */
static inline uint64_t fuzz_hash(const uint8_t *data, size_t nbytes)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < nbytes; i++)
        h = (h ^ data[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static inline uint32_t fuzz_draw(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

#ifdef MILL_FUZZ_MAIN
#include <ftw.h>

static int fuzz_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    uint8_t *data = NULL;
    size_t nbytes = 0, got;
    do {
        data = realloc(data, nbytes + 65536);
        PROMISE(data);
        got = fread(data + nbytes, 1, 65536, f);
        nbytes += got;
    } while (got);
    fclose(f);
    LLVMFuzzerTestOneInput(data, nbytes);
    free(data);
    return 1;
}

static int fuzz_ran;

static int fuzz_visit(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)walk;
    fuzz_ran += type == FTW_F && fuzz_file(path);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        nftw(argv[i], fuzz_visit, 16, FTW_PHYS);
    printf("%d files\n", fuzz_ran);
    return fuzz_ran ? 0 : 2;
}
#endif
#endif
