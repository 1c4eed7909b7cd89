/* SPDX-License-Identifier: Apache-2.0 */
/* api/fit_state.h: a model, shared by the files that fit, save and draw it. */
#ifndef MILL_API_FIT_STATE_H
#define MILL_API_FIT_STATE_H

#include <shardmill/fit.h>

struct mill_model {
    mill_model_view view; /* what it points to is the model's own */
    char *pipeline;
    double *mean, *matrix, *variances;
};

#endif
