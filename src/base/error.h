/* SPDX-License-Identifier: Apache-2.0 */
/* base/error.h: filling the caller's mill_error. mill_fail() is public (extend.h); all tolerate a NULL err.
 */
#ifndef MILL_BASE_ERROR_H
#define MILL_BASE_ERROR_H

#include <shardmill/extend.h>

/* As mill_fail, with ": strerror(os_error)" behind the message; kind is "io". MILL_NO_MEMORY if os_error is
 * ENOMEM. */
mill_status mill__fail_os(mill_error *err, int os_error, const char *format, ...) MILL_PRINTF(3, 4);
void mill__say_no_memory(mill_error *err, size_t nbytes, const char *what);
static inline mill_status mill__no_memory(mill_error *err, size_t nbytes, const char *what)
{
    mill__say_no_memory(err, nbytes, what);
    return MILL_NO_MEMORY; /* here, so that analyzers see that it is a failure */
}
void mill__error_clear(mill_error *err);
/* Add where it happened; NULL, NULL, MILL_NO_OFFSET leave what is there. */
void mill__error_where(mill_error *err, const char *shard, const char *key, uint64_t offset);

#endif
