/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h: what is built in. To add a shard format, transform, source or sink, write its file and add its
 * line. */
#ifndef MILL_REGISTRY_H
#define MILL_REGISTRY_H

#include "format/format.h"
#include "sink/sink.h"
#include <shardmill/extend.h>

#define MILL__FORMATS(X)                                                                                     \
    X(cifar)                                                                                                 \
    X(folder)                                                                                                \
    X(idx)                                                                                                   \
    X(npy)                                                                                                   \
    X(npz)                                                                                                   \
    X(raw)                                                                                                   \
    X(tar)                                                                                                   \
    X(tokens)

#define MILL__SINKS(X)                                                                                       \
    X(npy)                                                                                                   \
    X(npz)                                                                                                   \
    X(null)                                                                                                  \
    X(raw)                                                                                                   \
    X(safetensors)                                                                                           \
    X(tar)

#define MILL__SOURCES(X)                                                                                     \
    X(file)                                                                                                  \
    X(folder)

#define MILL__TRANSFORMS(X)                                                                                  \
    X(add)                                                                                                   \
    X(affine)                                                                                                \
    X(autocontrast)                                                                                          \
    X(cast)                                                                                                  \
    X(center_crop)                                                                                           \
    X(clip)                                                                                                  \
    X(color_jitter)                                                                                          \
    X(decode)                                                                                                \
    X(equalize)                                                                                              \
    X(gaussian_blur)                                                                                         \
    X(grayscale)                                                                                             \
    X(hflip)                                                                                                 \
    X(invert)                                                                                                \
    X(layout)                                                                                                \
    X(log1p)                                                                                                 \
    X(matmul)                                                                                                \
    X(mul)                                                                                                   \
    X(normalize)                                                                                             \
    X(onehot)                                                                                                \
    X(pad)                                                                                                   \
    X(posterize)                                                                                             \
    X(project)                                                                                               \
    X(rand_augment)                                                                                          \
    X(random_crop)                                                                                           \
    X(random_erasing)                                                                                        \
    X(random_resized_crop)                                                                                   \
    X(reshape)                                                                                               \
    X(resize)                                                                                                \
    X(rotate)                                                                                                \
    X(scale)                                                                                                 \
    X(select)                                                                                                \
    X(sharpness)                                                                                             \
    X(sin)                                                                                                   \
    X(solarize)                                                                                              \
    X(standardize)                                                                                           \
    X(transpose)                                                                                             \
    X(trivial_augment)                                                                                       \
    X(whiten)                                                                                                \
    X(window)

#define MILL__DECLARE_FORMAT(name)    extern const mill__format_ops mill__format_##name;
#define MILL__DECLARE_SINK(name)      extern const mill__sink_ops mill__sink_##name;
#define MILL__DECLARE_SOURCE(name)    extern const mill_source_ops mill__source_##name;
#define MILL__DECLARE_TRANSFORM(name) extern const mill_transform_ops mill__##name##_ops;
MILL__FORMATS(MILL__DECLARE_FORMAT)
MILL__SINKS(MILL__DECLARE_SINK)
MILL__SOURCES(MILL__DECLARE_SOURCE)
MILL__TRANSFORMS(MILL__DECLARE_TRANSFORM)

/* NULL-terminated lists. */
extern const mill__format_ops *const mill__formats[];
extern const mill__sink_ops *const mill__sinks[];
extern const mill_source_ops *const mill__sources[];
extern const mill_transform_ops *const mill__transforms[];

const mill__format_ops *mill__format_named(const char *name);
/* By extension, behind which there may be a ".gz"; NULL if none. */
const mill__format_ops *mill__format_for_path(const char *path);
bool mill__named_gzip(const char *path); /* it ends in .gz, in any case */
const mill__sink_ops *mill__sink_named(const char *name);
const mill_transform_ops *mill__transform_named(const char *name);

#endif
