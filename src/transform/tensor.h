/* SPDX-License-Identifier: Apache-2.0 */
/* transform/tensor.h: what the transforms that rearrange tensors have in common. They work on tensors whose
 * shape is known when the pipeline is planned. */
#ifndef MILL_TRANSFORM_TENSOR_H
#define MILL_TRANSFORM_TENSOR_H

#include <shardmill/extend.h>
#include <stdbool.h>

/* Numbers, and of a fixed shape; a clear message if not. */
mill_status mill__tensor_check(const char *name, const mill_type *in, mill_error *err);
/* Elements of a fixed shape; SIZE_MAX: 2^56 and more. */
size_t mill__tensor_elements(const mill_type *type);
/* The extents from axis begin to axis end multiplied. */
size_t mill__tensor_extent(const mill_type *type, int begin, int end);
/* An argument that counts axes, from the end if negative, as an axis of a tensor of rank axes. */
mill_status mill__tensor_axis(const char *name, int64_t argument, int rank, int *axis, mill_error *err);
/* A result is too large to be counted. */
mill_status mill__tensor_too_large(const char *name, const mill_type *out, mill_error *err);

/* out[i] = in[from + i * step], n elements of size bytes: 1, 2, 4 or 8. */
void mill__tensor_gather(void *out, const void *in, size_t n, ptrdiff_t step, size_t size);

#endif
