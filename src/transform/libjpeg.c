/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/libjpeg.h"

static _Noreturn void leave(j_common_ptr common)
{
    mill__jpeg_failure *f = (mill__jpeg_failure *)(void *)common->err;
    f->code = f->base.msg_code;
    f->base.format_message(common, f->text);
    longjmp(f->escape, 1);
}

static void refuse_warning(j_common_ptr common, int level)
{
    if (level < 0)
        leave(common);
}

static void say_nothing(j_common_ptr common)
{
    (void)common;
}

struct jpeg_error_mgr *mill__jpeg_failure_init(mill__jpeg_failure *f)
{
    jpeg_std_error(&f->base);
    f->base.error_exit = leave;
    f->base.emit_message = refuse_warning;
    f->base.output_message = say_nothing;
    return &f->base;
}

void mill__jpeg_refuse(mill__jpeg_failure *f, mill_status status, const char *text)
{
    f->code = 0;
    f->status = status;
    snprintf(f->text, sizeof f->text, "%s", text);
    longjmp(f->escape, 1);
}

mill_status mill__jpeg_status(const mill__jpeg_failure *f)
{
    switch (f->code) {
    case 0:
        return f->status;
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
        return MILL_LIMIT;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return MILL_UNSUPPORTED;
    default:
        return MILL_BAD_DATA;
    }
}
