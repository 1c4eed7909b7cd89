/* SPDX-License-Identifier: Apache-2.0 */
/* transform/decode.c: the decode transform's arguments. The work is done by the renderer (jpeg.c), which
 * needs to know the view first, so that there is neither view() nor run() here. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/image.h"
#include <string.h>

#define MAX_PIXELS 178956970 /* as Pillow; the engine puts the run's own limit in its place */
#define MAX_SCANS  64        /* encoders write about ten; each costs a pass over the whole image */

static const mill_param params[] = {
    {.name = "mode",
     .type = MILL_PARAM_CHOICE,
     .fallback = "rgb",
     .choices = "rgb|grey",
     .help = "colour, or the luma alone"},
    {.name = "orient",
     .type = MILL_PARAM_BOOL,
     .fallback = "false",
     .help = "turn the image upright by its EXIF orientation"},
    {.name = "field",
     .type = MILL_PARAM_TEXT,
     .fallback = "",
     .help = "which field holds the image; the first jpg or jpeg field unless given"},
    {.name = "scale",
     .type = MILL_PARAM_CHOICE,
     .fallback = "",
     .choices = "exact|fast",
     .help = "fast: decode at 1/2, 1/4 or 1/8 of the size where a resize to as little follows; exact unless "
             "given"},
    {.name = "dct",
     .type = MILL_PARAM_CHOICE,
     .fallback = "",
     .choices = "exact|fast",
     .help = "fast: libjpeg-turbo's less accurate inverse DCT; exact unless given"},
    {.name = "upsampling",
     .type = MILL_PARAM_CHOICE,
     .fallback = "",
     .choices = "exact|fast",
     .help = "fast: repeat chroma samples instead of interpolating; exact unless given"},
};

static bool is_fast(const mill_value *value)
{
    return value->n > 0 && value->i == 1;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    if (in->layout != MILL_ENCODED)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "decode works on encoded images, but gets %s data that are decoded already; "
                         "leave decode out",
                         mill_dtype_name(in->dtype));
    const char *field = values[2].text ? values[2].text : "";
    mill__decode *decode = mill__alloc(sizeof *decode);
    if (!decode)
        return mill__no_memory(err, sizeof *decode, "decode");
    int channels = values[0].i ? 1 : 3;
    *decode = (mill__decode){.options = {.channels = channels,
                                         .orient = values[1].i != 0,
                                         .max_pixels = MAX_PIXELS,
                                         .max_scans = MAX_SCANS,
                                         .fast_scale = is_fast(&values[3]),
                                         .fast_dct = is_fast(&values[4]),
                                         .fast_upsampling = is_fast(&values[5])}};
    if (strlen(field) >= sizeof decode->field_text) {
        mill__free(decode);
        return mill_fail(err, MILL_USAGE, "parameter", "decode: field is longer than %zu letters",
                         sizeof decode->field_text - 1);
    }
    strcpy(decode->field_text, field);
    decode->field = decode->field_text;
    *out = (mill_type){.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, channels}};
    *self = decode;
    return MILL_OK;
}

const mill_transform_ops mill__decode_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "decode",
                                             .summary = "JPEG to u8 pixels",
                                             .example = "decode mode=rgb orient=true",
                                             .params = params,
                                             .nparams = sizeof params / sizeof *params,
                                             .plan = plan,
                                             .drop = mill__free};
