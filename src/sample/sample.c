/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sample.h"
#include <string.h>
#include <strings.h>

static bool named(const mill__field *field, const char *name, size_t n)
{
    return field->name_nbytes == n && !strncasecmp(field->name, name, n);
}

const mill__field *mill__sample_field(const mill__sample *sample, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < sample->nfields; i++)
        if (named(&sample->fields[i], name, n))
            return &sample->fields[i];
    return NULL;
}

const mill__field *mill__sample_image(const mill__sample *sample)
{
    for (int i = 0; i < sample->nfields; i++)
        if (named(&sample->fields[i], "jpg", 3) || named(&sample->fields[i], "jpeg", 4))
            return &sample->fields[i];
    return NULL;
}
