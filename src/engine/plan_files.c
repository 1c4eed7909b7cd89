/* SPDX-License-Identifier: Apache-2.0 */
/* engine/plan_files.c: files that arguments of transforms name (fitted models, statistics, matrices) shape
 * the output by what is in them. A checksum of them is part of what makes one run the same as another. */
#include "base/error.h"
#include "base/hash.h"
#include "engine/plan.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *file_of(const mill_param *param, const mill_value *value)
{
    const char *file = param->choices ? strstr(param->choices, "FILE") : NULL;
    bool given = value->n < 0 || (param->type == MILL_PARAM_TEXT && value->n);
    return file && !file[4] && given ? value->text : NULL;
}

static mill_status add_file(mill__hash *hash, const char *path, mill_error *err)
{
    char bytes[16384];
    size_t n;
    FILE *file = fopen(path, "re");
    if (!file)
        return mill__fail_os(err, errno, "cannot open \"%s\"", path);
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        mill__hash_update(hash, bytes, n);
    int failed = ferror(file);
    fclose(file);
    return failed ? mill__fail_os(err, EIO, "cannot read \"%s\"", path) : MILL_OK;
}

mill_status mill__plan_hash_files(const mill_pipeline *pipeline, char text[20], mill_error *err)
{
    mill__hash *hash = mill__hash_new();
    if (!hash)
        return mill__no_memory(err, 1024, "a checksum");
    mill_status status = MILL_OK;
    bool any = false;
    for (int i = 0; i < pipeline->nitems; i++) {
        const mill__item *item = &pipeline->items[i];
        for (int k = 0; k < item->ops->nparams && !status; k++) {
            const char *path = file_of(&item->ops->params[k], &item->values[k]);
            if (path)
                status = add_file(hash, path, err);
            any |= path != NULL;
        }
    }
    snprintf(text, 20, any ? "%016" PRIx64 : "none", mill__hash_digest(hash));
    mill__hash_free(hash);
    return status;
}
