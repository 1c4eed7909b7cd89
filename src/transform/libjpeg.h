/* SPDX-License-Identifier: Apache-2.0 */
/* transform/libjpeg.h: libjpeg-turbo's header, and its errors turned into ours. The only file that includes
 * jpeglib.h; for jpeg*.c.
 *
 * libjpeg reports errors by calling back and expects not to be returned to, so a stretch of calls runs behind
 * setjmp(failure.escape). Its warnings (corrupt or missing entropy data, among others) are errors here. */
#ifndef MILL_TRANSFORM_LIBJPEG_H
#define MILL_TRANSFORM_LIBJPEG_H

#include <setjmp.h>
#include <shardmill/types.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h> /* second: its list of codes hangs on what jpeglib.h defines */

typedef struct mill__jpeg_failure {
    struct jpeg_error_mgr base; /* first: libjpeg points to it */
    jmp_buf escape;
    int code; /* of libjpeg's message, or 0 when status and text are ours */
    mill_status status;
    char text[JMSG_LENGTH_MAX];
} mill__jpeg_failure;

struct jpeg_error_mgr *mill__jpeg_failure_init(mill__jpeg_failure *f);
/* Leave the stretch with an error of our own. */
_Noreturn void mill__jpeg_refuse(mill__jpeg_failure *f, mill_status status, const char *text);
/* What became of the stretch that was left. */
mill_status mill__jpeg_status(const mill__jpeg_failure *f);

#endif
