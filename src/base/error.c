/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    "ok",       "end",   "again",       "usage error", "out of memory",        "I/O error",
    "bad data", "limit", "unsupported", "canceled",    "too many bad samples", "internal error"};

const char *mill_status_name(mill_status status)
{
    return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

void mill__error_clear(mill_error *err)
{
    if (err)
        *err = (mill_error){.offset = MILL_NO_OFFSET};
}

/* One line, whatever the names in it hold, and cut between characters: text may be UTF-8. */
static void tidy(char *text, size_t size)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = ' ';
    if (n + 1 < size)
        return;
    size_t last = n;
    while (last && n - last < 4 && ((unsigned char)text[last - 1] & 0xc0) == 0x80)
        last--;
    unsigned char lead = last ? (unsigned char)text[last - 1] : 0;
    size_t needs = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (needs > 1 && n - last + 1 < needs)
        text[last - 1] = 0;
}

static void put(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
    tidy(to, size);
}

/* What is to be formatted may be a part of err itself. */
static void fill(mill_error *err, mill_status status, const char *kind, const char *format, va_list args)
    MILL_PRINTF(4, 0);
static void fill(mill_error *err, mill_status status, const char *kind, const char *format, va_list args)
{
    mill_error filled = {.status = status, .offset = MILL_NO_OFFSET};
    vsnprintf(filled.message, sizeof filled.message, format, args);
    tidy(filled.message, sizeof filled.message);
    put(filled.kind, sizeof filled.kind, kind);
    *err = filled;
}

mill_status mill_fail(mill_error *err, mill_status status, const char *kind, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, status, kind, format, args);
        va_end(args);
    }
    return status;
}

mill_status mill__fail_os(mill_error *err, int os_error, const char *format, ...)
{
    mill_status status = os_error == ENOMEM ? MILL_NO_MEMORY : MILL_IO;
    if (err) {
        char buffer[128], reason[144];
        va_list args;
        va_start(args, format);
        fill(err, status, "io", format, args);
        va_end(args);
        err->os_error = os_error;
        /* GNU strerror_r: the text is what it returns */
        int n = snprintf(reason, sizeof reason, ": %s", strerror_r(os_error, buffer, sizeof buffer));
        size_t used = strlen(err->message), most = sizeof err->message - 1 - (size_t)n;
        if (used > most) { /* the reason matters more than the end of a long path */
            used = most;
            err->message[used] = 0;
            tidy(err->message, used + 1);
            used = strlen(err->message);
        }
        memcpy(err->message + used, reason, (size_t)n + 1);
    }
    return status;
}

void mill__say_no_memory(mill_error *err, size_t nbytes, const char *what)
{
    mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory: %zu bytes for %s", nbytes, what);
}

void mill__error_where(mill_error *err, const char *shard, const char *key, uint64_t offset)
{
    if (!err)
        return;
    if (shard)
        put(err->shard, sizeof err->shard, shard);
    if (key)
        put(err->key, sizeof err->key, key);
    if (offset != MILL_NO_OFFSET)
        err->offset = offset;
}
