/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"
#include <shardmill/pipeline.h>

const mill_transform_ops *mill_transform_at(int i)
{
    for (int k = 0; k < i; k++)
        if (!mill__transforms[k])
            return NULL;
    return i < 0 ? NULL : mill__transforms[i];
}

const mill_source_ops *mill_source_at(int i)
{
    for (int k = 0; k < i; k++)
        if (!mill__sources[k])
            return NULL;
    return i < 0 ? NULL : mill__sources[i];
}

int mill_format_at(int i, mill_format_info *info)
{
    int k = 0;
    for (const mill__format_ops *const *f = mill__formats; *f; f++)
        if (k++ == i) {
            *info = (mill_format_info){(*f)->name, (*f)->summary, (*f)->extensions, "shard format"};
            return 1;
        }
    for (const mill__sink_ops *const *s = mill__sinks; *s; s++)
        if (k++ == i) {
            *info = (mill_format_info){(*s)->name, (*s)->summary, "", "sink"};
            return 1;
        }
    return 0;
}
