/* SPDX-License-Identifier: Apache-2.0 */
/* source/pread.h: reading a range of a file whole, whatever the kernel splits it into. */
#ifndef MILL_SOURCE_PREAD_H
#define MILL_SOURCE_PREAD_H

#include <stddef.h>
#include <stdint.h>

/* The most that one read call is asked for: Linux transfers at most 2^31 - 4096 bytes a call. */
#define MILL__READ_MOST ((size_t)1 << 30)

/* Read n bytes at offset; *got (added to: start it at 0) falls short only at the end of the file. 0 or an
 * errno. Offsets that no file can have lie behind the end. */
int mill__pread_full(int fd, uint64_t offset, void *data, size_t n, size_t *got);

/* The same of what lies in the page cache; never waits for a device. *got falls short where it does not, 0:
 * at the end of the file, or EAGAIN. Other numbers: the file or the kernel cannot tell. */
int mill__pread_cached(int fd, uint64_t offset, void *data, size_t n, size_t *got);

#endif
