/* SPDX-License-Identifier: Apache-2.0 */
/* transform/geometry.h: what the transforms that compose views have in common. */
#ifndef MILL_TRANSFORM_GEOMETRY_H
#define MILL_TRANSFORM_GEOMETRY_H

#include <shardmill/extend.h>

#define MILL__SIDE_MAX 65535 /* the largest width or height that can be asked for */

/* Views are of u8 pixels in height, width, channel order with 1 or 3 channels; anything else is MILL_USAGE,
 * with a message that says what to do. */
mill_status mill__geometry_check(const char *name, const mill_type *in, mill_error *err);
/* A SIZE of whole numbers within 1..MILL__SIDE_MAX. One number is a square unless the caller wants it
 * otherwise. */
mill_status mill__geometry_size(const char *name, const mill_value *value, int64_t *width, int64_t *height,
                                mill_error *err);
/* Turn what a mill_view_* call answered into what view() shall answer: failures get a message. */
mill_status mill__geometry_status(const char *name, mill_status status, mill_error *err);

#endif
