/* SPDX-License-Identifier: Apache-2.0 */
/* transform/sniff.h: what can be told of an image file without decoding it. */
#ifndef MILL_TRANSFORM_SNIFF_H
#define MILL_TRANSFORM_SNIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool mill__is_jpeg(const uint8_t *data, size_t nbytes);
/* What bytes that are no JPEG look like, for messages: "a PNG image", "an HTML page", ... */
const char *mill__looks_like(const uint8_t *data, size_t nbytes);
/* The EXIF orientation of a JPEG, 1..8; 1 when there is none or none that makes sense. */
int mill__exif_orientation(const uint8_t *data, size_t nbytes);

#endif
