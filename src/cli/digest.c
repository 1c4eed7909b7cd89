/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"
#include <string.h>

/* ---- XXH64, after its specification; any other implementation tells the same ---- */

static const uint64_t prime1 = 0x9e3779b185ebca87, prime2 = 0xc2b2ae3d27d4eb4f, prime3 = 0x165667b19e3779f9,
                      prime4 = 0x85ebca77c2b2ae63, prime5 = 0x27d4eb2f165667c5;

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

/* Little-endian, of the first nbytes. */
static uint64_t word(const unsigned char *data, size_t nbytes)
{
    uint64_t value = 0;
    memcpy(&value, data, nbytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

/* Stripes of 32 bytes. The four lanes are spelled out so that they stay in registers. */
static void add_stripes(uint64_t lanes[4], const unsigned char *data, size_t n)
{
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
    for (; n; n--, data += 32) {
        a = round_of(a, word(data, 8));
        b = round_of(b, word(data + 8, 8));
        c = round_of(c, word(data + 16, 8));
        d = round_of(d, word(data + 24, 8));
    }
    lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
}

void cli_xxh64_begin(cli_xxh64 *hash)
{
    *hash = (cli_xxh64){.lanes = {prime1 + prime2, prime2, 0, 0 - prime1}};
}

void cli_xxh64_add(cli_xxh64 *hash, const void *data, size_t nbytes)
{
    const unsigned char *at = data;
    size_t have = hash->nbytes % 32;
    hash->nbytes += nbytes;
    if (have) {
        size_t n = nbytes < 32 - have ? nbytes : 32 - have;
        memcpy(hash->rest + have, at, n);
        if (have + n < 32)
            return;
        add_stripes(hash->lanes, hash->rest, 1);
        at += n;
        nbytes -= n;
    }
    add_stripes(hash->lanes, at, nbytes / 32);
    if (nbytes % 32)
        memcpy(hash->rest, at + nbytes / 32 * 32, nbytes % 32);
}

static uint64_t merged(const uint64_t lanes[4])
{
    static const int turns[] = {1, 7, 12, 18};
    uint64_t h = 0;
    for (int i = 0; i < 4; i++)
        h += rotate(lanes[i], turns[i]);
    for (int i = 0; i < 4; i++)
        h = (h ^ round_of(0, lanes[i])) * prime1 + prime4;
    return h;
}

uint64_t cli_xxh64_end(const cli_xxh64 *hash)
{
    uint64_t h = (hash->nbytes < 32 ? prime5 : merged(hash->lanes)) + hash->nbytes;
    const unsigned char *at = hash->rest;
    size_t n = hash->nbytes % 32;
    for (; n >= 8; at += 8, n -= 8)
        h = rotate(h ^ round_of(0, word(at, 8)), 27) * prime1 + prime4;
    for (; n >= 4; at += 4, n -= 4)
        h = rotate(h ^ word(at, 4) * prime1, 23) * prime2 + prime3;
    for (; n; at++, n--)
        h = rotate(h ^ *at * prime5, 11) * prime1;
    h = (h ^ h >> 33) * prime2;
    h = (h ^ h >> 29) * prime3;
    return h ^ h >> 32;
}

/* ---- batches ---- */

static size_t nbytes_of(const mill_tensor *t)
{
    size_t n = (size_t)t->n * mill_dtype_nbytes(t->type.dtype);
    for (int i = 0; i < t->type.rank; i++)
        n *= (size_t)t->type.shape[i];
    return n;
}

static void add_fields(cli_xxh64 *hash, const mill_batch *batch, int64_t row, const char *fields)
{
    char name[256];
    for (const char *at = fields + strspn(fields, " "); *at; at += strspn(at, " ")) {
        const void *data = NULL;
        size_t n = strcspn(at, " "), length = n < sizeof name ? n : sizeof name - 1, nbytes = 0;
        memcpy(name, at, length);
        name[length] = 0;
        at += n;
        int64_t stored = mill_batch_bytes(batch, row, name, &data, &nbytes) ? -1 : (int64_t)nbytes;
        cli_xxh64_add(hash, &stored, sizeof stored);
        if (nbytes)
            cli_xxh64_add(hash, data, nbytes);
    }
}

void cli_digest_begin(cli_digest *digest)
{
    *digest = (cli_digest){.batches = 0};
    cli_xxh64_begin(&digest->all);
}

uint64_t cli_digest_add(cli_digest *digest, const mill_batch *batch, const char *fields)
{
    static const char *const names[] = {"image", "data",   "label",   "mask",
                                        "shard", "sample", "label_b", "lambda"};
    cli_xxh64 own;
    cli_xxh64_begin(&own);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mill_tensor t; /* a batch has one of image and data, or neither; the last two if it is mixed */
        if (!mill_batch_field(batch, names[i], &t, NULL))
            cli_xxh64_add(&own, t.data, nbytes_of(&t));
    }
    for (int64_t i = 0; i < mill_batch_size(batch); i++) {
        const char *key = mill_batch_key(batch, i);
        cli_xxh64_add(&own, key, strlen(key) + 1);
        add_fields(&own, batch, i, fields);
    }
    uint64_t result = cli_xxh64_end(&own);
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(result >> (56 - 8 * i));
    cli_xxh64_add(&digest->all, bytes, sizeof bytes);
    digest->batches++;
    return result;
}

uint64_t cli_digest_end(const cli_digest *digest)
{
    return cli_xxh64_end(&digest->all);
}
