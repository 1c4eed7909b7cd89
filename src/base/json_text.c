/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting and indenting JSON (RFC 8259) text. Values are found by their brackets and quotes alone. */
#include "base/json_text.h"
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* Behind the string that begins at at, or NULL. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : NULL;
}

/* Behind the value that begins at at, or NULL. */
static const char *skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    const char *begin = at;
    while (at && at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if ((*at == '}' || *at == ']') && depth) {
            depth--;
            at++;
        } else if (!depth && (*at == ',' || *at == '}' || *at == ']' || is_blank(*at))) {
            return at > begin ? at : NULL;
        } else {
            at++;
            continue;
        }
        if (!depth)
            return at;
    }
    return NULL;
}

bool mill__json_begin(mill__json_walk *walk, mill__json_piece text, char kind)
{
    const char *end = text.text + text.nbytes, *at = skip_blanks(text.text, end);
    if (at == end || *at != kind)
        return false;
    *walk = (mill__json_walk){.at = at + 1, .end = end, .close = kind == '{' ? '}' : ']'};
    return true;
}

/* Cut a value off the front. */
static bool take(mill__json_walk *walk, mill__json_piece *piece)
{
    const char *at = skip_blanks(walk->at, walk->end), *behind = skip_value(at, walk->end);
    if (!behind)
        return false;
    *piece = (mill__json_piece){at, (size_t)(behind - at)};
    walk->at = skip_blanks(behind, walk->end);
    return true;
}

int mill__json_next(mill__json_walk *walk, mill__json_piece *key, mill__json_piece *value)
{
    walk->at = skip_blanks(walk->at, walk->end);
    if (walk->at < walk->end && *walk->at == walk->close) {
        walk->at++;
        return 0;
    }
    if (walk->begun && (walk->at == walk->end || *walk->at++ != ','))
        return -1;
    walk->begun = true;
    if (walk->close == '}') {
        if (!take(walk, key) || *key->text != '"' || key->nbytes < 2 || walk->at == walk->end ||
            *walk->at++ != ':')
            return -1;
        key->text++;
        key->nbytes -= 2;
    }
    return take(walk, value) ? 1 : -1;
}

bool mill__json_ended(const mill__json_walk *walk)
{
    return skip_blanks(walk->at, walk->end) == walk->end;
}

/* ---- indenting ---- */

static int new_line(mill__buffer *out, int depth)
{
    static const char blanks[] = "                                ";
    int failed = mill__buffer_append(out, "\n", 1);
    for (int left = 2 * depth; left > 0 && !failed; left -= (int)sizeof blanks - 1)
        failed = mill__buffer_append(out, blanks,
                                     left < (int)sizeof blanks - 1 ? (size_t)left : sizeof blanks - 1);
    return failed;
}

static int append_mark(mill__buffer *out, mill__json_indent *state, char c)
{
    bool opens = c == '{' || c == '[', closes = c == '}' || c == ']', empty = state->opened;
    int failed = 0;
    if (closes)
        state->depth--;
    if (empty != closes) /* the first thing within brackets, or the end of ones that are not empty */
        failed = new_line(out, state->depth);
    state->opened = opens;
    if (opens)
        state->depth++;
    if (c == ':')
        return failed || mill__buffer_append(out, ": ", 2);
    failed = failed || mill__buffer_append(out, &c, 1);
    return c == ',' ? failed || new_line(out, state->depth) : failed;
}

int mill__json_append_indented(mill__buffer *out, mill__json_indent *state, const char *text, size_t nbytes)
{
    int failed = 0;
    for (size_t i = 0; i < nbytes && !failed;) {
        if (!state->in_string) {
            state->in_string = text[i] == '"';
            failed = append_mark(out, state, text[i++]);
            continue;
        }
        size_t begin = i;
        while (i < nbytes && state->in_string) {
            char c = text[i++];
            state->in_string = state->escaped || c != '"';
            state->escaped = !state->escaped && c == '\\';
        }
        failed = mill__buffer_append(out, text + begin, i - begin);
    }
    return failed ? -1 : 0;
}
