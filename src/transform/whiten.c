/* SPDX-License-Identifier: Apache-2.0 */
/* whiten: features made uncorrelated and of variance 1, by a model that was fitted. */
#include "transform/linear.h"

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    mill__map map;
    mill_status status = mill__map_read_model("whiten", values[0].text, "whiten", &map, err);
    if (status)
        return status;
    status = mill__linear_plan("whiten", values[0].text, &map, in, out, self, err);
    mill__map_free(&map);
    return status;
}

static const mill_param params[] = {{.name = "model",
                                     .type = MILL_PARAM_TEXT,
                                     .choices = "FILE",
                                     .help = "a file that shardmill fit whiten wrote"}};

const mill_transform_ops mill__whiten_ops = {
    .struct_nbytes = sizeof(mill_transform_ops),
    .name = "whiten",
    .summary = "the last axis whitened by a fitted model, ZCA or PCA (gives f32, or f64 from f64)",
    .example = "reshape 768 | whiten model.json",
    .params = params,
    .nparams = 1,
    .flags = MILL_BATCHED,
    .plan = plan,
    .drop = mill__linear_drop,
    .run = mill__linear_run};
