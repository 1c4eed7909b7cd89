/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/geometry.h"
#include "base/error.h"

mill_status mill__geometry_check(const char *name, const mill_type *in, mill_error *err)
{
    static const char *const layouts[] = {
        [MILL_PLAIN] = "plain", [MILL_ENCODED] = "encoded", [MILL_HWC] = "hwc", [MILL_CHW] = "chw"};
    if (in->layout == MILL_ENCODED)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "%s works on pixels, but the image is still encoded here; put decode before %s",
                         name, name);
    if (in->dtype != MILL_U8 || in->layout != MILL_HWC || in->rank != 3)
        return mill_fail(
            err, MILL_USAGE, "pipeline",
            "%s works on u8 hwc images, but gets %s %s data of rank %d; put %s before normalize, "
            "cast and layout",
            name, mill_dtype_name(in->dtype), layouts[in->layout], in->rank, name);
    if (in->shape[2] != 1 && in->shape[2] != 3)
        return mill_fail(err, MILL_UNSUPPORTED, "pipeline",
                         "%s works on images of 1 or 3 channels, but gets %lld", name,
                         (long long)in->shape[2]);
    return MILL_OK;
}

mill_status mill__geometry_size(const char *name, const mill_value *value, int64_t *width, int64_t *height,
                                mill_error *err)
{
    for (int i = 0; i < value->n; i++)
        if (!(value->list[i] >= 1 && value->list[i] <= MILL__SIDE_MAX) ||
            value->list[i] != (double)(int64_t)value->list[i])
            return mill_fail(err, MILL_USAGE, "parameter",
                             "%s: size is %s, but a width and a height must be whole numbers of 1 to %d",
                             name, value->text, MILL__SIDE_MAX);
    *width = (int64_t)value->list[0];
    *height = (int64_t)value->list[value->n > 1];
    return MILL_OK;
}

mill_status mill__geometry_status(const char *name, mill_status status, mill_error *err)
{
    if (status == MILL_LIMIT || status == MILL_USAGE)
        return mill_fail(err, MILL_LIMIT, "limit",
                         "%s would give an image whose width or height is not within 1 to 2^30", name);
    return status;
}
