/* SPDX-License-Identifier: Apache-2.0 */
/* api/text_file.h: a small file that is there whole or not at all. */
#ifndef MILL_API_TEXT_FILE_H
#define MILL_API_TEXT_FILE_H

#include <shardmill/types.h>

/* The text and a newline; what had that name is replaced. */
mill_status mill__text_file_write(const char *path, const char *text, size_t nbytes, mill_error *err);

#endif
