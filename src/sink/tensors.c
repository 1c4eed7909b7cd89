/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/tensors.h"
#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_image(const mill_type *type)
{
    return type->layout == MILL_HWC || type->layout == MILL_CHW;
}

const char *mill__tensors_name(const mill_type *type)
{
    return is_image(type) ? "image" : "data";
}

size_t mill__tensors_row_nbytes(const mill_type *type)
{
    size_t nbytes = mill_dtype_nbytes(type->dtype);
    for (int i = 0; i < type->rank; i++)
        if (type->shape[i] < 0 || __builtin_mul_overflow(nbytes, (size_t)type->shape[i], &nbytes))
            return 0;
    return nbytes;
}

mill_status mill__tensors_check(const mill__sink_config *config, const char *as, mill_error *err)
{
    if (!config->type.dtype || config->type.layout == MILL_ENCODED)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "--as %s needs tensors: begin the pipeline with decode, or use --as tar to keep the files "
            "as they are",
            as);
    if (!config->fixed && is_image(&config->type))
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "--as %s needs images of one size: end the pipeline with center_crop or resize WxH",
                         as);
    if (!config->fixed)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "--as %s needs tensors of one shape, but the pipeline gives shapes that vary", as);
    if (!mill__tensors_row_nbytes(&config->type))
        return mill_fail(err, MILL_USAGE, "pipeline", "--as %s needs tensors that have elements", as);
    return MILL_OK;
}

size_t mill__tensors_together(const mill__row *rows, size_t n, size_t row_nbytes)
{
    size_t i = 0;
    while (i < n && rows[i].status == MILL_OK && rows[i].tensor &&
           (const char *)rows[i].tensor == (const char *)rows[0].tensor + i * row_nbytes)
        i++;
    return i;
}

mill_status mill__file_begin(mill__file **file, const char *folder, const char *name, const char *suffix,
                             mill_error *err)
{
    char *whole;
    if (asprintf(&whole, "%s.%s", name, suffix) < 0)
        return mill__no_memory(err, strlen(name), "the name of an output file");
    mill_status status = mill__file_create(file, folder, whole, err);
    free(whole);
    return status;
}

mill_status mill__file_write_zeros(mill__file *file, size_t nbytes, mill_error *err)
{
    static const char zeros[4096];
    mill_status status = MILL_OK;
    while (nbytes && !status) {
        size_t n = nbytes < sizeof zeros ? nbytes : sizeof zeros;
        status = mill__file_write(file, zeros, n, err);
        nbytes -= n;
    }
    return status;
}
