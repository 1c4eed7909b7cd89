/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec_word.c: cutting a spec into words; "quotes" and backslash protect what they hold. */
#include "base/error.h"
#include "source/spec.h"
#include <string.h>

/* '-', '!' and '^' mean something within the brackets of a glob. */
static const char special[] = "\\{},@*?[]-!^";

static int put(mill__buffer *out, char c, bool literal)
{
    return (literal && strchr(special, c) && mill__buffer_append(out, "\\", 1)) ||
                   mill__buffer_append(out, &c, 1)
               ? -1
               : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/* Without blanks at its end, unless they were protected: those lie before keep. */
static int end_word(mill__buffer *out, size_t keep)
{
    while (out->nbytes > keep && is_blank((char)out->data[out->nbytes - 1]))
        out->nbytes--;
    return mill__buffer_append(out, "", 1);
}

mill_status mill__word_next(const char **text, bool whole, mill__buffer *out, mill_error *err)
{
    const char *s = *text;
    bool quoted = false, began = false;
    size_t keep = 0;
    out->nbytes = 0;
    while (is_blank(*s))
        s++;
    for (; *s && (quoted || whole || !is_blank(*s)); s++) {
        if (whole && *s == '#' && !quoted && (!began || is_blank(s[-1]))) {
            s += strlen(s); /* a comment */
            break;
        }
        bool literal = quoted;
        began = true;
        if (*s == '"') {
            quoted = !quoted;
            continue;
        }
        if (*s == '\\') {
            if (!*++s)
                return mill_fail(err, MILL_USAGE, "spec",
                                 "'%.200s' ends in a lone backslash; write \\\\ for one", *text);
            literal = true;
        }
        if (put(out, *s, literal))
            return mill__no_memory(err, out->nbytes, "a word of the data-set spec");
        if (literal)
            keep = out->nbytes;
    }
    if (quoted)
        return mill_fail(err, MILL_USAGE, "spec", "a quote (\") is opened and not closed in '%.200s'", *text);
    if (end_word(out, keep))
        return mill__no_memory(err, out->nbytes, "a word of the data-set spec");
    if (began && out->nbytes == 1)
        return mill_fail(err, MILL_USAGE, "spec", "the data-set spec holds an empty name (\"\")");
    *text = s;
    return MILL_OK;
}

int mill__word_protect(mill__buffer *out, const char *text)
{
    for (; *text; text++)
        if (put(out, *text, true))
            return -1;
    return 0;
}

void mill__word_plain(char *word)
{
    char *to = word;
    for (const char *from = word; *from; from++) {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from;
    }
    *to = 0;
}

bool mill__word_has_glob(const char *word)
{
    for (; *word; word++) {
        if (*word == '\\' && word[1])
            word++;
        else if (*word == '*' || *word == '?' || *word == '[')
            return true;
    }
    return false;
}
