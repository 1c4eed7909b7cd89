/* SPDX-License-Identifier: Apache-2.0 */
/* project: features onto the principal components of a model that was fitted. */
#include "base/error.h"
#include "transform/linear.h"
#include <inttypes.h>

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill__map map;
    const char *path = values[0].text;
    mill_status status = mill__map_read_model("project", path, "pca", &map, err);
    if (status)
        return status;
    if (values[1].n && (uint64_t)values[1].i > map.columns)
        status = mill_fail(err, MILL_USAGE, "pipeline",
                           "project: k is %" PRId64 ", but \"%.200s\" has %zu components", values[1].i, path,
                           map.columns);
    else if (values[1].n)
        map.columns = (size_t)values[1].i;
    if (!status)
        status = mill__linear_plan("project", path, &map, in, out, self, err);
    mill__map_free(&map);
    return status;
}

static const mill_param params[] = {{.name = "model",
                                     .type = MILL_PARAM_TEXT,
                                     .choices = "FILE",
                                     .help = "a file that shardmill fit pca wrote"},
                                    {.name = "k",
                                     .type = MILL_PARAM_INT,
                                     .fallback = "",
                                     .min = 1,
                                     .max = 1 << 30,
                                     .help = "of its components the first so many; absent: all"}};

const mill_transform_ops mill__project_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "project",
    .summary = "the last axis onto the principal components of a fitted model (gives f32, or f64 from f64)",
    .example = "project model.json k=16",
    .params = params,
    .nparams = 2,
    .flags = MILL_BATCHED,
    .plan = plan,
    .drop = mill__linear_drop,
    .run = mill__linear_run};
