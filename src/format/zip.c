/* SPDX-License-Identifier: Apache-2.0 */
/* format/zip.c: a zip archive is read from its end: there lies a record of where the central directory is,
 * which says of each member where its local header is, behind which are its data. What is said twice must be
 * the same. */
#include "format/zip.h"
#include "base/error.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    END_NBYTES = 22,
    END64_NBYTES = 56,
    LOCATOR_NBYTES = 20,
    CENTRAL_NBYTES = 46,
    LOCAL_NBYTES = 30,
    MOST_COMMENT = 65535,
    MOST_MEMBERS = 1024,
    MOST_DIRECTORY = 4 << 20,
    ENCRYPTED = 1 | 1 << 13, /* flags */
    SIZES_BEHIND = 1 << 3
};

static const uint32_t end_magic = 0x06054b50, end64_magic = 0x06064b50, locator_magic = 0x07064b50,
                      central_magic = 0x02014b50, local_magic = 0x04034b50;

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static mill_status refuse(mill_error *err, mill_status status, const char *kind, uint64_t offset,
                          const char *reason)
{
    mill_fail(err, status, kind, "%s", reason);
    mill__error_where(err, NULL, NULL, offset);
    return status;
}

static mill_status bad(mill_error *err, uint64_t offset, const char *reason)
{
    return refuse(err, MILL_BAD_DATA, "header", offset, reason);
}

static mill_status refuse_member(const mill__zip_member *m, mill_status status, const char *kind,
                                 const char *reason, mill_error *err)
{
    mill_fail(err, status, kind, "member \"%.100s\": %s", m->name, reason);
    mill__error_where(err, NULL, NULL, m->header);
    return status;
}

static mill_status read_all(const mill__bytes *stored, uint64_t offset, void *data, size_t n, mill_error *err)
{
    size_t got = 0;
    mill_status status = stored->read(stored->handle, offset, data, n, &got, err);
    if (!status && got < n)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "the shard has shrunk since it was opened");
    return status;
}

/* ---- the end of the archive ---- */

typedef struct directory {
    uint64_t n, offset, nbytes;
} directory;

/* Find the last record; at: where it lies. */
static mill_status find_end(const mill__bytes *stored, uint64_t nbytes, uint8_t end[END_NBYTES], uint64_t *at,
                            mill_error *err)
{
    enum { MOST = END_NBYTES + MOST_COMMENT };
    size_t n = nbytes < MOST ? (size_t)nbytes : MOST, i = n < END_NBYTES ? 0 : n - END_NBYTES + 1;
    uint8_t *tail = mill__alloc(n);
    if (!tail)
        return mill__no_memory(err, n, "the end of a zip archive");
    mill_status status = read_all(stored, nbytes - n, tail, n, err);
    bool found = false;
    while (!status && i && !found) {
        i--;
        found = get32(tail + i) == end_magic && i + END_NBYTES + get16(tail + i + 20) == n;
    }
    if (found)
        memcpy(end, tail + i, END_NBYTES);
    *at = nbytes - n + i;
    mill__free(tail);
    if (!status && !found)
        return bad(err, nbytes,
                   "no zip archive, or one that is cut off: the record that ends one is not at its end");
    return status;
}

/* Where 32 bits do not do, another record in front of the last one has 64. */
static mill_status read_end64(const mill__bytes *stored, uint64_t *at, directory *d, mill_error *err)
{
    uint8_t locator[LOCATOR_NBYTES], end[END64_NBYTES];
    if (*at < LOCATOR_NBYTES + END64_NBYTES)
        return bad(err, *at, "the zip64 records are missing");
    mill_status status = read_all(stored, *at - LOCATOR_NBYTES, locator, LOCATOR_NBYTES, err);
    if (status)
        return status;
    uint64_t where = get64(locator + 8);
    if (get32(locator) != locator_magic || get32(locator + 4) || get32(locator + 16) != 1 ||
        where > *at - LOCATOR_NBYTES - END64_NBYTES)
        return bad(err, *at - LOCATOR_NBYTES, "the zip64 records are missing or wrong");
    status = read_all(stored, where, end, END64_NBYTES, err);
    if (status)
        return status;
    if (get32(end) != end64_magic || get64(end + 4) != *at - LOCATOR_NBYTES - where - 12 || get32(end + 16) ||
        get32(end + 20) || get64(end + 24) != get64(end + 32))
        return bad(err, where, "the zip64 record at the end of the archive is wrong");
    *d = (directory){.n = get64(end + 32), .nbytes = get64(end + 40), .offset = get64(end + 48)};
    *at = where;
    return MILL_OK;
}

static mill_status find_directory(const mill__bytes *stored, uint64_t nbytes, directory *d, mill_error *err)
{
    uint8_t end[END_NBYTES];
    uint64_t at;
    mill_status status = find_end(stored, nbytes, end, &at, err);
    if (status)
        return status;
    *d = (directory){.n = get16(end + 10), .nbytes = get32(end + 12), .offset = get32(end + 16)};
    if (d->n == UINT16_MAX || d->nbytes == UINT32_MAX || d->offset == UINT32_MAX) {
        status = read_end64(stored, &at, d, err);
        if (status)
            return status;
    } else if (get16(end + 4) || get16(end + 6) || get16(end + 8) != d->n) {
        return refuse(err, MILL_UNSUPPORTED, "unsupported", at, "a zip archive in several parts");
    }
    if (d->n > MOST_MEMBERS || d->nbytes > MOST_DIRECTORY)
        return refuse(err, MILL_LIMIT, "limit", at,
                      "a zip archive of more than 1024 members, or 4 MiB of names");
    if (d->offset > at || d->nbytes != at - d->offset || d->n > d->nbytes / CENTRAL_NBYTES)
        return bad(err, at, "the central directory is not where the archive's end says that it is");
    return MILL_OK;
}

/* ---- members ---- */

/* The values of extra field 1, of as many as are said to be there. */
static bool read_extra64(const uint8_t *extra, size_t nbytes, uint64_t *const *values)
{
    for (size_t size; nbytes >= 4; extra += 4 + size, nbytes -= 4 + size) {
        size = get16(extra + 2);
        if (size > nbytes - 4)
            return false;
        if (get16(extra) != 1)
            continue;
        const uint8_t *at = extra + 4, *end = at + size;
        for (; *values; values++, at += 8) {
            if (end - at < 8)
                return false;
            **values = get64(at);
        }
        return true;
    }
    return !*values;
}

/* Sizes that do not fit 32 bits are in the extra field, in this order. offset NULL: not there. */
static bool widen(const uint8_t *extra, size_t nbytes, uint64_t *inflated, uint64_t *stored, uint64_t *offset)
{
    uint64_t *wide[4] = {NULL};
    int n = 0;
    if (*inflated == UINT32_MAX)
        wide[n++] = inflated;
    if (*stored == UINT32_MAX)
        wide[n++] = stored;
    if (offset && *offset == UINT32_MAX)
        wide[n++] = offset;
    return read_extra64(extra, nbytes, wide);
}

static mill_status check_member(const mill__zip_member *m, uint16_t flags, uint16_t method, mill_error *err)
{
    if (flags & ENCRYPTED)
        return refuse_member(m, MILL_UNSUPPORTED, "unsupported", "it is encrypted", err);
    if (method != 0 && method != 8)
        return refuse_member(m, MILL_UNSUPPORTED, "unsupported",
                             "it is compressed otherwise than by deflate, which np.savez_compressed uses",
                             err);
    if (!method && m->nbytes != m->inflated_nbytes)
        return refuse_member(m, MILL_BAD_DATA, "size", "it is not compressed, but its two sizes differ", err);
    return MILL_OK;
}

static bool take_name(mill__zip_member *m, const uint8_t *name, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (name[i] < 0x20 || name[i] == 0x7f)
            return false;
    m->name = nbytes ? strndup((const char *)name, nbytes) : NULL;
    return m->name != NULL;
}

/* One header of the central directory; *used: its bytes. at: its offset, for messages. */
static mill_status parse_central(const uint8_t *p, size_t left, uint64_t at, mill__zip_member *m,
                                 size_t *used, mill_error *err)
{
    if (left < CENTRAL_NBYTES || get32(p) != central_magic)
        return bad(err, at, "no header of the central directory");
    size_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    *used = CENTRAL_NBYTES + name + extra + comment;
    if (left < *used)
        return bad(err, at, "a header of the central directory is longer than what is left of it");
    m->crc = get32(p + 16);
    m->nbytes = get32(p + 20);
    m->inflated_nbytes = get32(p + 24);
    m->header = get32(p + 42);
    m->deflated = get16(p + 10) != 0;
    if (!take_name(m, p + CENTRAL_NBYTES, name))
        return bad(err, at, "a member without a name, or with control characters in it");
    if (!widen(p + CENTRAL_NBYTES + name, extra, &m->inflated_nbytes, &m->nbytes, &m->header))
        return bad(err, at, "the zip64 sizes of a member are missing");
    return check_member(m, get16(p + 8), get16(p + 10), err);
}

/* The local header must say the same. end: of what members may take. */
static mill_status check_local(const mill__bytes *stored, uint64_t end, mill__zip_member *m, mill_error *err)
{
    uint8_t p[LOCAL_NBYTES], *rest;
    if (!m->name || m->header > end || end - m->header < LOCAL_NBYTES)
        return refuse_member(m, MILL_BAD_DATA, "header", "it begins behind the end of the archive", err);
    mill_status status = read_all(stored, m->header, p, sizeof p, err);
    if (status)
        return status;
    size_t name = get16(p + 26), extra = get16(p + 28);
    if (get32(p) != local_magic || get16(p + 8) != (m->deflated ? 8 : 0) || name != strlen(m->name) ||
        end - m->header - LOCAL_NBYTES < name + extra)
        return refuse_member(m, MILL_BAD_DATA, "header", "its local header is not what the directory says",
                             err);
    rest = mill__alloc(name + extra);
    if (!rest)
        return mill__no_memory(err, name + extra, "a zip header");
    status = read_all(stored, m->header + LOCAL_NBYTES, rest, name + extra, err);
    uint64_t inflated = get32(p + 22), nbytes = get32(p + 18);
    bool sizes = !(get16(p + 6) & SIZES_BEHIND);
    bool same = !status && !memcmp(rest, m->name, name) &&
                (!sizes || (widen(rest + name, extra, &inflated, &nbytes, NULL) && nbytes == m->nbytes &&
                            inflated == m->inflated_nbytes && get32(p + 14) == m->crc));
    mill__free(rest);
    if (status)
        return status;
    if (!same)
        return refuse_member(m, MILL_BAD_DATA, "header", "its local header is not what the directory says",
                             err);
    m->offset = m->header + LOCAL_NBYTES + name + extra;
    if (m->nbytes > end - m->offset)
        return refuse_member(m, MILL_BAD_DATA, "truncated", "it reaches behind the end of the archive", err);
    return MILL_OK;
}

static int by_offset(const void *a, const void *b)
{
    const mill__zip_member *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static mill_status check_apart(const mill__zip *zip, mill_error *err)
{
    for (size_t i = 1; i < zip->n; i++) {
        const mill__zip_member *before = &zip->members[i - 1], *m = &zip->members[i];
        if (before->offset + before->nbytes > m->header)
            return refuse_member(m, MILL_BAD_DATA, "overlap", "its bytes are another member's too", err);
    }
    for (size_t i = 0; i < zip->n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(zip->members[i].name, zip->members[k].name))
                return refuse_member(&zip->members[i], MILL_BAD_DATA, "duplicate",
                                     "there are two of this name", err);
    return MILL_OK;
}

static mill_status read_members(const mill__bytes *stored, const directory *d, const uint8_t *p,
                                mill__zip *zip, mill_error *err)
{
    size_t at = 0;
    mill_status status = MILL_OK;
    while (zip->n < d->n) {
        size_t used = 0;
        mill__zip_member *m = &zip->members[zip->n++];
        status = parse_central(p + at, (size_t)d->nbytes - at, d->offset + at, m, &used, err);
        if (status || !m->name)
            return status;
        at += used;
    }
    if (at != d->nbytes)
        return bad(err, d->offset + at, "bytes behind the last header of the central directory");
    for (size_t i = 0; i < zip->n && !status; i++)
        status = check_local(stored, d->offset, &zip->members[i], err);
    if (status)
        return status;
    qsort(zip->members, zip->n, sizeof *zip->members, by_offset);
    return check_apart(zip, err);
}

mill_status mill__zip_read(const mill__bytes *stored, uint64_t nbytes, mill__zip *zip, mill_error *err)
{
    directory d;
    *zip = (mill__zip){0};
    mill_status status = find_directory(stored, nbytes, &d, err);
    if (status)
        return status;
    zip->members = calloc((size_t)d.n + 1, sizeof *zip->members);
    if (!zip->members)
        return mill__no_memory(err, (size_t)d.n * sizeof *zip->members, "a zip directory");
    uint8_t *p = mill__alloc((size_t)d.nbytes);
    status = p ? read_all(stored, d.offset, p, (size_t)d.nbytes, err)
               : mill__no_memory(err, (size_t)d.nbytes, "a zip directory");
    if (!status)
        status = read_members(stored, &d, p, zip, err);
    mill__free(p);
    if (status)
        mill__zip_free(zip);
    return status;
}

void mill__zip_free(mill__zip *zip)
{
    for (size_t i = 0; i < zip->n; i++)
        free(zip->members[i].name);
    free(zip->members);
    *zip = (mill__zip){0};
}
