/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar_member.h"
#include <ctype.h>
#include <string.h>

bool mill__tar_has_doubtful_size(const mill__tar_member *m)
{
    return m->size && m->type >= '1' && m->type <= '6';
}

static mill__tar_refusal warning(const char *kind, const char *reason)
{
    return (mill__tar_refusal){MILL_WARNING, kind, reason};
}

static mill__tar_refusal unsupported(const char *reason)
{
    return (mill__tar_refusal){MILL_ERROR, "unsupported", reason};
}

/* By its type. */
static bool is_other(const mill__tar_member *m, mill__tar_refusal *why)
{
    if (m->sparse) {
        *why = unsupported("a sparse file; shards hold plain files only");
        return true;
    }
    switch (m->type) {
    case '0':
    case '7':
        return false;
    case 'g':
        *why = (mill__tar_refusal){0};
        return true;
    case '5':
        *why =
            m->size ? warning("member", "a folder with data, which are passed over") : (mill__tar_refusal){0};
        return true;
    case '1':
    case '2':
        *why = warning("member", "a link; it is passed over");
        return true;
    case '3':
    case '4':
    case '6':
        *why = warning("member", "a device or fifo; it is passed over");
        return true;
    case 'M':
        *why = unsupported("the rest of a file that began in another volume");
        return true;
    default:
        *why = warning("member", "a member of unknown type; it is passed over");
        return true;
    }
}

bool mill__tar_refused(const mill__tar_member *m, size_t *key_nbytes, mill__tar_refusal *why)
{
    *key_nbytes = 0;
    if (is_other(m, why))
        return true;
    const char *slash = strrchr(m->name, '/'), *base = slash ? slash + 1 : m->name;
    const char *dot = strchr(base, '.');
    if (!m->name_nbytes)
        *why = warning("name", "a member without a name; it is passed over");
    else if (!*base) /* how folders were written before they had a type */
        *why =
            m->size ? warning("member", "a folder with data, which are passed over") : (mill__tar_refusal){0};
    else if (!dot)
        *why = warning("name", "a name without a dot, which belongs to no sample; it is passed over");
    else if (dot == base)
        *why = warning("name", "a hidden file, which has no key; it is passed over");
    else
        *key_nbytes = (size_t)(dot - m->name);
    return !*key_nbytes;
}

const char *mill__tar_unsafe_name(const mill__tar_member *m)
{
    const char *name = m->name;
    if (name[0] == '/')
        return "an absolute member name";
    if (isalpha((unsigned char)name[0]) && name[1] == ':')
        return "a member name with a drive letter";
    for (const char *s = name; s; s = strchr(s, '/'), s = s ? s + 1 : NULL)
        if (s[0] == '.' && s[1] == '.' && (!s[2] || s[2] == '/'))
            return "a member name that climbs out of its folder by \"..\"";
    for (size_t i = 0; i < m->name_nbytes; i++)
        if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
            return "a control character in a member name";
    return NULL;
}
