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

static void fill(mill_error *err, mill_status status, const char *kind, const char *format, va_list args)
    MILL_PRINTF(4, 0);
static void fill(mill_error *err, mill_status status, const char *kind, const char *format, va_list args)
{
    mill__error_clear(err);
    err->status = status;
    snprintf(err->kind, sizeof err->kind, "%s", kind);
    vsnprintf(err->message, sizeof err->message, format, args);
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
        char reason[128];
        va_list args;
        va_start(args, format);
        fill(err, status, "io", format, args);
        va_end(args);
        err->os_error = os_error;
        size_t used = strlen(err->message);
        /* GNU strerror_r: the text is what it returns */
        snprintf(err->message + used, sizeof err->message - used, ": %s",
                 strerror_r(os_error, reason, sizeof reason));
    }
    return status;
}

mill_status mill__no_memory(mill_error *err, size_t nbytes, const char *what)
{
    return mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory: %zu bytes for %s", nbytes, what);
}

void mill__error_where(mill_error *err, const char *shard, const char *key, uint64_t offset)
{
    if (!err)
        return;
    if (shard)
        snprintf(err->shard, sizeof err->shard, "%s", shard);
    if (key)
        snprintf(err->key, sizeof err->key, "%s", key);
    if (offset != MILL_NO_OFFSET)
        err->offset = offset;
}
