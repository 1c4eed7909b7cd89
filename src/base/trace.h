/* SPDX-License-Identifier: Apache-2.0 */
/* base/trace.h: a timeline in the Chrome trace event format (Perfetto, chrome://tracing). Every call is a
 * no-op for a NULL trace; calls from any thread. Events go to the file through a buffer, so memory does not
 * grow. */
#ifndef MILL_BASE_TRACE_H
#define MILL_BASE_TRACE_H

#include <shardmill/types.h>

typedef struct mill__trace mill__trace;
/* The calling thread is named "main" in it. */
mill_status mill__trace_open(mill__trace **trace, const char *path, mill_error *err);
int64_t mill__trace_now(const mill__trace *trace); /* 0 for NULL */
/* Something of this thread that began at begin_ns and ends now. args are "name":value pairs of a JSON object
 * or NULL */
void mill__trace_span(mill__trace *trace, const char *name, int64_t begin_ns, const char *args_format, ...)
    MILL_PRINTF(4, 5);
void mill__trace_counter(mill__trace *trace, const char *name, int64_t value);
void mill__trace_thread(mill__trace *trace, const char *name);      /* name the calling thread */
mill_status mill__trace_close(mill__trace *trace, mill_error *err); /* ends the JSON; NULL is fine */

#endif
