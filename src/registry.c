/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MILL__FORMAT(name)    &mill__format_##name,
#define MILL__SINK(name)      &mill__sink_##name,
#define MILL__SOURCE(name)    &mill__source_##name,
#define MILL__TRANSFORM(name) &mill__##name##_ops,

const mill__format_ops *const mill__formats[] = {MILL__FORMATS(MILL__FORMAT) NULL};
const mill__sink_ops *const mill__sinks[] = {MILL__SINKS(MILL__SINK) NULL};
const mill_source_ops *const mill__sources[] = {MILL__SOURCES(MILL__SOURCE) NULL};
const mill_transform_ops *const mill__transforms[] = {MILL__TRANSFORMS(MILL__TRANSFORM) NULL};

const mill__format_ops *mill__format_named(const char *name)
{
    for (const mill__format_ops *const *f = mill__formats; *f; f++)
        if (!strcmp((*f)->name, name))
            return *f;
    return NULL;
}

static int has_extension(const char *path, size_t length, const char *extensions)
{
    while (*extensions) {
        size_t n = strcspn(extensions, " ");
        if (n && n < length && !strncasecmp(path + length - n, extensions, n))
            return 1;
        extensions += n;
        extensions += strspn(extensions, " ");
    }
    return 0;
}

bool mill__named_gzip(const char *path)
{
    return has_extension(path, strlen(path), ".gz");
}

const mill__format_ops *mill__format_for_path(const char *path)
{
    size_t length = strlen(path) - (mill__named_gzip(path) ? strlen(".gz") : 0);
    for (const mill__format_ops *const *f = mill__formats; *f; f++)
        if (has_extension(path, length, (*f)->extensions))
            return *f;
    return NULL;
}

const mill__sink_ops *mill__sink_named(const char *name)
{
    for (const mill__sink_ops *const *s = mill__sinks; *s; s++)
        if (!strcmp((*s)->name, name))
            return *s;
    return NULL;
}

const mill_transform_ops *mill__transform_named(const char *name)
{
    for (const mill_transform_ops *const *t = mill__transforms; *t; t++)
        if (!strcmp((*t)->name, name))
            return *t;
    return NULL;
}
