/* SPDX-License-Identifier: Apache-2.0 */
/* base/trace.c: the format is described in Google's "Trace Event Format" document; "X" is a complete event,
 * "C" a counter, "M" metadata. Times are microseconds. */
#include "base/trace.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mill__trace {
    pthread_mutex_t lock;
    FILE *file;
    int64_t begin_ns;
    bool first, failed;
    int os_error;
    char *path;
};

mill_status mill__trace_open(mill__trace **trace, const char *path, mill_error *err)
{
    mill__trace *t = *trace = calloc(1, sizeof *t);
    if (!t)
        return mill__no_memory(err, sizeof *t, "a trace");
    t->path = strdup(path);
    t->file = t->path ? fopen(path, "we") : NULL;
    if (!t->file) {
        int os_error = errno;
        free(t->path);
        free(t);
        *trace = NULL;
        return mill__fail_os(err, os_error, "cannot write the trace \"%s\"", path);
    }
    pthread_mutex_init(&t->lock, NULL);
    t->begin_ns = mill__now_ns();
    t->first = true;
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", t->file);
    mill__trace_thread(t, "main");
    return MILL_OK;
}

int64_t mill__trace_now(const mill__trace *trace)
{
    return trace ? mill__now_ns() : 0;
}

static double microseconds(int64_t ns)
{
    return (double)ns * 1e-3;
}

/* Write one event; text is a JSON object. */
static void put(mill__trace *t, const char *text)
{
    pthread_mutex_lock(&t->lock);
    if (!t->failed && fprintf(t->file, "%s\n%s", t->first ? "" : ",", text) < 0) {
        t->failed = true;
        t->os_error = errno;
    }
    t->first = false;
    pthread_mutex_unlock(&t->lock);
}

void mill__trace_span(mill__trace *t, const char *name, int64_t begin_ns, const char *args_format, ...)
{
    if (!t)
        return;
    int64_t now = mill__now_ns();
    char text[512], args[256] = "";
    if (args_format) {
        va_list list;
        va_start(list, args_format);
        vsnprintf(args, sizeof args, args_format, list);
        va_end(list);
    }
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"args\":{%s}}",
             name, (int)getpid(), (int)gettid(), microseconds(begin_ns - t->begin_ns),
             microseconds(now - begin_ns), args);
    put(t, text);
}

void mill__trace_counter(mill__trace *t, const char *name, int64_t value)
{
    if (!t)
        return;
    char text[256];
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"ph\":\"C\",\"pid\":%d,\"ts\":%.3f,\"args\":{\"value\":%lld}}", name,
             (int)getpid(), microseconds(mill__now_ns() - t->begin_ns), (long long)value);
    put(t, text);
}

void mill__trace_thread(mill__trace *t, const char *name)
{
    if (!t)
        return;
    char text[256];
    snprintf(text, sizeof text,
             "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":\"%s\"}}",
             (int)getpid(), (int)gettid(), name);
    put(t, text);
}

mill_status mill__trace_close(mill__trace *t, mill_error *err)
{
    if (!t)
        return MILL_OK;
    if (fputs("\n]}\n", t->file) < 0 && !t->failed) {
        t->failed = true;
        t->os_error = errno;
    }
    if (fclose(t->file) && !t->failed) {
        t->failed = true;
        t->os_error = errno;
    }
    mill_status status = MILL_OK;
    if (t->failed)
        status = mill__fail_os(err, t->os_error, "cannot write the trace \"%s\"", t->path);
    pthread_mutex_destroy(&t->lock);
    free(t->path);
    free(t);
    return status;
}
