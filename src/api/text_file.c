/* SPDX-License-Identifier: Apache-2.0 */
#include "api/text_file.h"
#include "base/error.h"
#include "sink/sink.h"
#include <stdlib.h>
#include <string.h>

static mill_status create(mill__file **file, const char *path, mill_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!path[0] || (slash && !slash[1]))
        return mill_fail(err, MILL_USAGE, "argument", "\"%s\" is not the name of a file", path);
    char *folder = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!folder)
        return mill__no_memory(err, strlen(path), "the name of a file");
    mill_status status = mill__file_create(file, folder, slash ? slash + 1 : path, err);
    free(folder);
    return status;
}

mill_status mill__text_file_write(const char *path, const char *text, size_t nbytes, mill_error *err)
{
    mill__file *file = NULL;
    mill__output_file written;
    mill_status status = create(&file, path, err);
    if (!file)
        return status;
    status = mill__file_write(file, text, nbytes, err);
    if (!status)
        status = mill__file_write(file, "\n", 1, err);
    if (status) {
        mill__file_abandon(file);
        return status;
    }
    status = mill__file_finish(file, &written, err);
    if (!status)
        free(written.name);
    return status;
}
