/* SPDX-License-Identifier: Apache-2.0 */
/* format/cifar.c: the binary version of CIFAR-10 and CIFAR-100: each sample is a label (CIFAR-100: a coarse
 * one and a fine one), a byte each, and an image of 3 x 32 x 32 bytes, channel by channel. */
#include "base/error.h"
#include "format/rows.h"
#include <inttypes.h>

enum { IMAGE_NBYTES = 3 * 32 * 32 };

/* The files have no header: their size tells which of the two they are. */
static mill_status count_labels(uint64_t nbytes, int *labels, mill_error *err)
{
    bool ten = nbytes % (IMAGE_NBYTES + 1) == 0, hundred = nbytes % (IMAGE_NBYTES + 2) == 0;
    if (ten && hundred && nbytes)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "%" PRIu64 " bytes may be CIFAR-10 as well as CIFAR-100: say cifar:10 or cifar:100",
                         nbytes);
    if (!ten && !hundred)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "%" PRIu64
                         " bytes are no whole number of samples of %d (CIFAR-10) or %d (CIFAR-100)",
                         nbytes, IMAGE_NBYTES + 1, IMAGE_NBYTES + 2);
    *labels = ten ? 1 : 2;
    return MILL_OK;
}

static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    (void)head, (void)need;
    *is = (mill__rows){.type = {.dtype = MILL_U8, .layout = MILL_CHW, .rank = 3, .shape = {3, 32, 32}},
                       .labels = self->settings.labels};
    if (nbytes == UINT64_MAX)
        return MILL_OK;
    mill_status status = is->labels ? MILL_OK : count_labels(nbytes, &is->labels, err);
    if (status)
        return status;
    is->row_nbytes = IMAGE_NBYTES + (uint64_t)is->labels;
    is->rows = nbytes / is->row_nbytes;
    if (nbytes % is->row_nbytes)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "%" PRIu64 " bytes are no whole number of samples of %" PRIu64, nbytes,
                         is->row_nbytes);
    return MILL_OK;
}

static mill_status settle(const mill_value *values, mill__format_settings *settings, mill_error *err)
{
    (void)err;
    settings->labels = (int)values[0].i; /* auto, 10, 100 */
    return MILL_OK;
}

static const mill_param params[] = {{.name = "classes",
                                     .type = MILL_PARAM_CHOICE,
                                     .choices = "auto|10|100",
                                     .fallback = "auto",
                                     .help = "which of the two; auto: by the size of the shard"}};

const mill__format_ops mill__format_cifar = {
    .name = "cifar",
    .summary = "CIFAR-10 and CIFAR-100, binary version: cifar, cifar:10, cifar:100",
    .extensions = "",
    .usual = ".bin",
    .params = params,
    .nparams = 1,
    .settle = settle,
    .rows = rows,
    MILL__ROWS_CALLBACKS};
