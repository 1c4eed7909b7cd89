/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/sink.h"
#include <stdio.h>

mill_status mill__file_write_key(mill__file *file, const char *key, mill_error *err)
{
    mill_status status = MILL_OK;
    while (*key && !status) {
        size_t plain = 0;
        while ((unsigned char)key[plain] >= 0x20 && key[plain] != 0x7f && key[plain] != '\\')
            plain++;
        status = mill__file_write(file, key, plain, err);
        key += plain;
        if (*key && !status) {
            char escaped[8];
            int n = snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*key++);
            status = mill__file_write(file, escaped, (size_t)n, err);
        }
    }
    return status ? status : mill__file_write(file, "\n", 1, err);
}
