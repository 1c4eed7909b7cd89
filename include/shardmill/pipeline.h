/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/pipeline.h: what is to be done with a sample, as text or by builder calls, and what can be asked
 * for. */
#ifndef SHARDMILL_PIPELINE_H
#define SHARDMILL_PIPELINE_H

#include <shardmill/extend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A list of transforms. Not thread-safe while it is being changed; may be freed once a run is open. */
typedef struct mill_pipeline mill_pipeline;

MILL_API mill_pipeline *mill_pipeline_new(void); /* NULL: no memory */
MILL_API void mill_pipeline_free(mill_pipeline *pipeline);

/* Make a transform of your own known to this pipeline under ops->name, before the text that uses it. ops and
 * user must outlive every run of the pipeline. */
MILL_API mill_status mill_pipeline_register(mill_pipeline *pipeline, const mill_transform_ops *ops,
                                            void *user, mill_error *err);

/* Append the transforms in text: `name argument key=value ... | name ...`. Arguments without a key fill the
 * parameters in order; lists are joined by commas; "quotes" protect blanks, '|' and '='. Names, keys, numbers
 * and ranges are checked now, shapes and dtypes when a run is opened. On failure nothing is appended. */
MILL_API mill_status mill_pipeline_parse(mill_pipeline *pipeline, const char *text, mill_error *err);

/* Append one transform: mill_pipeline_add(p, "resize", "256 filter=bicubic", &err). arguments may be NULL. */
MILL_API mill_status mill_pipeline_add(mill_pipeline *pipeline, const char *name, const char *arguments,
                                       mill_error *err);

/* The canonical text: every parameter spelled out. Belongs to the pipeline, valid until it changes. */
MILL_API const char *mill_pipeline_text(mill_pipeline *pipeline);

/* ---- what is built in: i counts from 0; NULL past the last ---- */
MILL_API const mill_transform_ops *mill_transform_at(int i);
MILL_API const mill_source_ops *mill_source_at(int i);

typedef struct mill_format_info {
    const char *name;
    const char *summary;
    const char *extensions; /* ".tar", ... or "" */
    const char *kind;       /* "shard format" or "sink" */
} mill_format_info;
MILL_API int mill_format_at(int i, mill_format_info *info); /* 0 past the last */

#ifdef __cplusplus
}
#endif
#endif
