/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar_header.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool mill__tar_is_zero(const uint8_t *block, size_t nbytes)
{
    return !nbytes || (!block[0] && !memcmp(block, block + 1, nbytes - 1));
}

/* Octal digits with blanks before and a NUL or blank behind, or base-256 (GNU): false if it is neither,
 * negative, or beyond 2^63 - 1. */
static bool number(const uint8_t *field, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    if (field[0] & 0x80) {
        if (field[0] != 0x80)
            return false; /* 0xff: negative */
        for (size_t i = 1; i < n; i++) {
            if (v >> 55)
                return false;
            v = v << 8 | field[i];
        }
        *value = v;
        return v >> 63 == 0;
    }
    size_t i = 0;
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(field[i] - '0');
    while (i < n && (field[i] == ' ' || !field[i]))
        i++;
    *value = v;
    return i == n;
}

bool mill__tar_is_header(const uint8_t *block)
{
    uint64_t stated;
    if (!number(block + 148, 8, &stated))
        return false;
    uint32_t sum = 0;
    int32_t signed_sum = 0; /* some old writers summed signed chars */
    for (int i = 0; i < MILL__TAR_BLOCK; i++)
        sum += block[i];
    for (int i = 148; i < 156; i++)
        sum = sum - block[i] + ' ';
    if (sum == stated)
        return true;
    for (int i = 0; i < MILL__TAR_BLOCK; i++)
        signed_sum += i >= 148 && i < 156 ? ' ' : (int8_t)block[i];
    return signed_sum >= 0 && (uint64_t)signed_sum == stated;
}

bool mill__tar_is_record(const uint8_t *block)
{
    return block[156] && strchr("xXgLK", block[156]);
}

uint64_t mill__tar_padded(uint64_t n)
{
    uint64_t last = MILL__TAR_BLOCK - 1;
    return n > UINT64_MAX - last ? UINT64_MAX : (n + last) & ~last;
}

uint64_t mill__tar_body_nbytes(const uint8_t *block)
{
    uint64_t size;
    return number(block + 124, 12, &size) ? mill__tar_padded(size) : 0;
}

/* What the records in front of a header say of the member. */
typedef struct extra {
    const uint8_t *path;
    size_t path_nbytes;
    bool has_size, sparse;
    uint64_t size;
} extra;

static mill__tar_kind bad(mill__tar_member *m, const char *kind, uint64_t skip, bool orphan,
                          const char *format, ...) __attribute__((format(printf, 5, 6)));
static mill__tar_kind bad(mill__tar_member *m, const char *kind, uint64_t skip, bool orphan,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(m->reason, sizeof m->reason, format, args);
    va_end(args);
    m->kind = kind;
    m->skip = skip;
    m->orphan = orphan;
    return MILL__TAR_BAD;
}

static bool decimal(const uint8_t *s, size_t n, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || *value > (UINT64_MAX >> 1) / 10 - 1)
            return false;
        *value = *value * 10 + (uint64_t)(s[i] - '0');
    }
    return n > 0;
}

static bool key_is(const uint8_t *key, size_t n, const char *name)
{
    return n == strlen(name) && !memcmp(key, name, n);
}

/* An empty value takes back what was said before (POSIX). */
static const char *pax_value(extra *x, const uint8_t *key, size_t nkey, const uint8_t *value, size_t nvalue)
{
    if (key_is(key, nkey, "path")) {
        if (memchr(value, 0, nvalue))
            return "a pax path holds a NUL byte";
        x->path = nvalue ? value : NULL;
        x->path_nbytes = nvalue;
    } else if (key_is(key, nkey, "size")) {
        if (nvalue && !decimal(value, nvalue, &x->size))
            return "a pax size is no number below 2^63";
        x->has_size = nvalue > 0;
    } else if (nkey > 11 && !memcmp(key, "GNU.sparse.", 11)) {
        x->sparse = true;
    }
    return NULL;
}

/* Records "length key=value\n", length counting all of the record. NULL, or what is wrong. */
static const char *parse_pax(const uint8_t *s, size_t n, extra *x)
{
    while (n) {
        size_t digits = 0;
        uint64_t length;
        while (digits < n && s[digits] >= '0' && s[digits] <= '9')
            digits++;
        if (!digits || digits > 8 || digits == n || s[digits] != ' ' || !decimal(s, digits, &length))
            return "a pax record does not begin with its length";
        if (length > n || length < digits + 4) /* "8 k=\n": a blank, a key, '=' and the newline */
            return "a pax record's length does not fit its header";
        if (s[length - 1] != '\n')
            return "a pax record does not end with a newline";
        const uint8_t *key = s + digits + 1, *end = s + length - 1;
        const uint8_t *equals = memchr(key, '=', (size_t)(end - key));
        if (!equals || equals == key)
            return "a pax record has no key";
        const char *wrong = pax_value(x, key, (size_t)(equals - key), equals + 1, (size_t)(end - equals - 1));
        if (wrong)
            return wrong;
        s += length;
        n -= length;
    }
    return NULL;
}

static mill__tar_kind too_many_headers(mill__tar_member *m, uint64_t limit, uint64_t skip, bool orphan)
{
    return bad(m, "limit", skip, orphan, "more than %llu bytes of headers for one member",
               (unsigned long long)limit);
}

static const char *parse_global(const uint8_t *s, size_t n)
{
    extra x = {0};
    const char *wrong = parse_pax(s, n, &x);
    if (!wrong && (x.path || x.has_size || x.sparse))
        wrong = "a global pax header sets path, size or a sparse map, which one member alone can have";
    return wrong;
}

/* The record blocks at data + *at; moves *at behind them. */
static mill__tar_kind parse_record(const uint8_t *data, size_t nbytes, uint64_t limit, uint64_t *at, extra *x,
                                   mill__tar_member *m)
{
    const uint8_t *block = data + *at;
    uint64_t size, body = *at + MILL__TAR_BLOCK;
    char type = (char)block[156];
    if (!number(block + 124, 12, &size))
        return bad(m, "size", body, true, "the size of an extension record is no number");
    uint64_t end = body + mill__tar_padded(size);
    if (size > MILL__TAR_MAX_RECORD)
        return bad(m, "limit", end, true, "an extension record of %llu bytes; at most %d are read",
                   (unsigned long long)size, MILL__TAR_MAX_RECORD);
    if (end + MILL__TAR_BLOCK > limit)
        return too_many_headers(m, limit, end, true);
    if (end > nbytes) {
        m->need = (size_t)end + MILL__TAR_BLOCK;
        return MILL__TAR_MORE;
    }
    const char *wrong = NULL;
    if (type == 'g')
        wrong = parse_global(data + body, (size_t)size);
    else if (type == 'x' || type == 'X')
        wrong = parse_pax(data + body, (size_t)size, x);
    if (wrong)
        return bad(m, "pax", end, type != 'g', "%s", wrong);
    if (type == 'L') {
        x->path = data + body;
        x->path_nbytes = strnlen((const char *)data + body, (size_t)size);
    }
    *at = end;
    return MILL__TAR_MEMBER;
}

static void take_name(mill__tar_member *m, const uint8_t *block, const extra *x)
{
    char *name = m->name;
    if (x->path) {
        m->name_nbytes = x->path_nbytes;
        memcpy(name, x->path, x->path_nbytes);
    } else {
        size_t used = 0;
        if (!memcmp(block + 257, "ustar", 6) && block[345]) {
            used = strnlen((const char *)block + 345, 155);
            memcpy(name, block + 345, used);
            name[used++] = '/';
        }
        size_t n = strnlen((const char *)block, 100);
        memcpy(name + used, block, n);
        m->name_nbytes = used + n;
    }
    name[m->name_nbytes] = 0;
    size_t lead = 0;
    while (name[lead] == '.' && name[lead + 1] == '/')
        lead += 2 + strspn(name + lead + 2, "/");
    if (lead) {
        m->name_nbytes -= lead;
        memmove(name, name + lead, m->name_nbytes + 1);
    }
}

/* Old GNU sparse files have blocks more of their map between header and data; *end moves behind those that
 * are there. */
static bool pass_sparse_map(const uint8_t *data, size_t nbytes, uint64_t limit, uint64_t *end)
{
    size_t flag = 482;
    for (uint64_t at = *end - MILL__TAR_BLOCK; data[at + flag]; at += MILL__TAR_BLOCK, flag = 504) {
        *end += MILL__TAR_BLOCK;
        if (*end > nbytes || *end > limit)
            return false;
    }
    return true;
}

static mill__tar_kind parse_member(const uint8_t *data, size_t nbytes, uint64_t limit, const extra *x,
                                   uint64_t at, mill__tar_member *m)
{
    const uint8_t *block = data + at;
    uint64_t size = x->size, end = at + MILL__TAR_BLOCK;
    if (!x->has_size && !number(block + 124, 12, &size))
        return bad(m, "size", end, false, "the size in a header is no number, negative or beyond 2^63");
    if (x->path && x->path_nbytes > MILL__TAR_MAX_NAME)
        return bad(m, "limit", end + mill__tar_padded(size), false,
                   "a name of %zu bytes; at most %d are possible", x->path_nbytes, MILL__TAR_MAX_NAME);
    m->type = block[156] ? (char)block[156] : '0';
    m->sparse = x->sparse || m->type == 'S';
    if (m->type == 'S' && !pass_sparse_map(data, nbytes, limit, &end)) {
        if (end > limit)
            return too_many_headers(m, limit, end, false);
        m->need = (size_t)end;
        return MILL__TAR_MORE;
    }
    m->size = size;
    m->header_nbytes = end;
    take_name(m, block, x);
    return MILL__TAR_MEMBER;
}

static void take_global(mill__tar_member *m, uint64_t end)
{
    m->type = 'g';
    m->sparse = false;
    m->size = 0;
    m->header_nbytes = end;
    m->name_nbytes = 0;
    m->name[0] = 0;
}

mill__tar_kind mill__tar_parse(const uint8_t *data, size_t nbytes, uint64_t limit, mill__tar_member *m)
{
    extra x = {0};
    uint64_t at = 0;
    for (;;) {
        if (at + MILL__TAR_BLOCK > nbytes) {
            m->need = (size_t)(at + MILL__TAR_BLOCK);
            return MILL__TAR_MORE;
        }
        const uint8_t *block = data + at;
        if (!block[0] && mill__tar_is_zero(block, MILL__TAR_BLOCK)) {
            if (!at)
                return MILL__TAR_ZERO;
            return bad(m, "header", at, false, "an extension record without a member behind it");
        }
        if (!mill__tar_is_header(block))
            return bad(m, "checksum", at + MILL__TAR_BLOCK, false,
                       "no tar header here: its checksum is wrong");
        if (!mill__tar_is_record(block))
            return parse_member(data, nbytes, limit, &x, at, m);
        bool first = at == 0;
        mill__tar_kind kind = parse_record(data, nbytes, limit, &at, &x, m);
        if (kind != MILL__TAR_MEMBER)
            return kind;
        if (first && block[156] == 'g') {
            take_global(m, at);
            return MILL__TAR_MEMBER;
        }
    }
}
