/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and settings of the manifest as JSON: the only file that knows jansson. */
#include "sink/manifest_json.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- to text ---- */

/* Length of the shortest valid UTF-8 text at the front of text, or 0. */
static size_t valid_length(const char *text)
{
    for (size_t n = 1; n <= 4 && strnlen(text, n) == n; n++) {
        json_t *string = json_stringn(text, n);
        json_decref(string);
        if (string)
            return n;
    }
    return 0;
}

char *mill__json_utf8(const char *text)
{
    json_t *whole = json_string(text);
    json_decref(whole);
    if (whole)
        return strdup(text);
    size_t n = strlen(text), used = 0;
    char *out = n < SIZE_MAX / 8 ? malloc(4 * n + 1) : NULL;
    while (out && *text) {
        size_t length = valid_length(text);
        if (length)
            memcpy(out + used, text, length);
        used += length ? length : (size_t)sprintf(out + used, "\\x%02x", (unsigned char)*text);
        text += length ? length : 1;
    }
    if (out)
        out[used] = 0;
    return out;
}

static json_t *string_of(const char *text)
{
    json_t *string = json_string(text ? text : "");
    if (string)
        return string;
    char *valid = mill__json_utf8(text ? text : "");
    string = valid ? json_string(valid) : NULL;
    free(valid);
    return string;
}

static json_int_t integer(uint64_t x)
{
    return x > INT64_MAX ? INT64_MAX : (json_int_t)x;
}

static const char *const severities[] = {[MILL_WARNING] = "warning", [MILL_ERROR] = "error"};

static json_t *issue_to_json(const mill_issue *issue)
{
    json_t *offset = issue->offset == MILL_NO_OFFSET ? json_null() : json_integer(integer(issue->offset));
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:I}", "severity",
                     severities[issue->severity == MILL_ERROR ? MILL_ERROR : MILL_WARNING], "sample",
                     (json_int_t)issue->sample, "key", string_of(issue->key), "class", string_of(issue->kind),
                     "reason", string_of(issue->reason), "offset", offset, "nbytes", integer(issue->nbytes));
}

static json_t *file_to_json(const mill__output_file *file)
{
    char xxh3[17];
    snprintf(xxh3, sizeof xxh3, "%016" PRIx64, file->xxh3);
    return json_pack("{s:o, s:I, s:s}", "name", string_of(file->name), "nbytes", integer(file->nbytes),
                     "xxh3", xxh3);
}

/* NULL without memory; so are the two above. */
static json_t *shard_to_json(const mill__manifest_shard *s)
{
    json_t *files = json_array(), *issues = json_array();
    int failed = !files || !issues;
    for (size_t i = 0; i < s->nfiles && !failed; i++)
        failed = json_array_append_new(files, file_to_json(&s->files[i]));
    for (size_t i = 0; i < s->nissues && !failed; i++)
        failed = json_array_append_new(issues, issue_to_json(&s->issues[i]));
    if (failed) {
        json_decref(files);
        json_decref(issues);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "name",
                     string_of(s->name), "source", string_of(s->locator), "nbytes", integer(s->nbytes),
                     "mtime_ns", (json_int_t)s->mtime_ns, "samples", (json_int_t)s->samples, "written",
                     (json_int_t)s->written, "skipped", (json_int_t)s->skipped, "substituted",
                     (json_int_t)s->substituted, "errors", (json_int_t)s->errors, "warnings",
                     (json_int_t)s->warnings, "files", files, "issues", issues);
}

static char *compact(json_t *tree)
{
    char *text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}

char *mill__manifest_text(const mill__manifest_shard *shard)
{
    return compact(shard_to_json(shard));
}

/* ---- from text: each false when the text is not what shard_to_json gives ---- */

static bool file_from_json(json_t *tree, mill__output_file *file)
{
    const char *xxh3, *name;
    json_int_t nbytes;
    if (json_unpack(tree, "{s:s, s:I, s:s}", "name", &name, "nbytes", &nbytes, "xxh3", &xxh3) || nbytes < 0 ||
        strlen(xxh3) != 16 || strspn(xxh3, "0123456789abcdef") != 16)
        return false;
    *file = (mill__output_file){(char *)name, (uint64_t)nbytes, strtoull(xxh3, NULL, 16)};
    return true;
}

static bool issue_from_json(json_t *tree, const char *locator, mill_issue *issue)
{
    const char *severity;
    json_int_t sample, nbytes;
    json_t *offset;
    *issue = (mill_issue){.shard = locator, .offset = MILL_NO_OFFSET};
    if (json_unpack(tree, "{s:s, s:I, s:s, s:s, s:s, s:o, s:I}", "severity", &severity, "sample", &sample,
                    "key", &issue->key, "class", &issue->kind, "reason", &issue->reason, "offset", &offset,
                    "nbytes", &nbytes) ||
        nbytes < 0 || !(json_is_null(offset) || (json_is_integer(offset) && json_integer_value(offset) >= 0)))
        return false;
    issue->severity = strcmp(severity, "error") ? MILL_WARNING : MILL_ERROR;
    issue->sample = sample;
    issue->nbytes = (uint64_t)nbytes;
    if (json_is_integer(offset))
        issue->offset = (uint64_t)json_integer_value(offset);
    return true;
}

static bool lists_from_json(json_t *files, json_t *issues, mill__manifest_entry *entry)
{
    mill__manifest_shard *s = &entry->shard;
    s->nfiles = json_array_size(files);
    s->nissues = json_array_size(issues);
    s->files = entry->files = calloc(s->nfiles + 1, sizeof *entry->files);
    s->issues = entry->issues = calloc(s->nissues + 1, sizeof *entry->issues);
    bool good = entry->files && entry->issues && json_is_array(files) && json_is_array(issues);
    for (size_t i = 0; i < s->nfiles && good; i++)
        good = file_from_json(json_array_get(files, i), &entry->files[i]);
    for (size_t i = 0; i < s->nissues && good; i++)
        good = issue_from_json(json_array_get(issues, i), s->locator, &entry->issues[i]);
    return good;
}

static bool shard_from_json(json_t *tree, mill__manifest_entry *entry)
{
    mill__manifest_shard *s = &entry->shard;
    json_int_t nbytes, mtime, counts[6];
    json_t *files, *issues;
    if (json_unpack(tree, "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "name", &s->name,
                    "source", &s->locator, "nbytes", &nbytes, "mtime_ns", &mtime, "samples", &counts[0],
                    "written", &counts[1], "skipped", &counts[2], "substituted", &counts[3], "errors",
                    &counts[4], "warnings", &counts[5], "files", &files, "issues", &issues) ||
        nbytes < 0)
        return false;
    for (int i = 0; i < 6; i++)
        if (counts[i] < 0)
            return false;
    s->nbytes = (uint64_t)nbytes;
    s->mtime_ns = mtime;
    s->samples = counts[0];
    s->written = counts[1];
    s->skipped = counts[2];
    s->substituted = counts[3];
    s->errors = counts[4];
    s->warnings = counts[5];
    return lists_from_json(files, issues, entry);
}

bool mill__manifest_parse(mill__json_piece text, mill__manifest_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    json_t *tree = json_loadb(text.text, text.nbytes, JSON_REJECT_DUPLICATES, NULL);
    entry->tree = tree;
    bool good = tree && shard_from_json(tree, entry);
    if (!good)
        mill__manifest_entry_free(entry);
    return good;
}

void mill__manifest_entry_free(mill__manifest_entry *entry)
{
    json_decref(entry->tree);
    free(entry->files);
    free(entry->issues);
    memset(entry, 0, sizeof *entry);
}

/* ---- settings ---- */

char *mill__settings_text(const char *const *settings)
{
    json_t *tree = json_object();
    int failed = !tree;
    for (; settings && settings[0] && !failed; settings += 2)
        failed = json_object_set_new(tree, settings[0], string_of(settings[1]));
    if (!failed)
        return compact(tree);
    json_decref(tree);
    return NULL;
}

static const char *text_of(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

static int differ(mill__difference *d, const char *key, const json_t *then, const json_t *now)
{
    snprintf(d->key, sizeof d->key, "%s", key);
    snprintf(d->then, sizeof d->then, "%s", text_of(then));
    snprintf(d->now, sizeof d->now, "%s", text_of(now));
    return 1;
}

int mill__settings_compare(mill__json_piece then_text, mill__json_piece now_text,
                           mill__difference *difference)
{
    json_t *then = json_loadb(then_text.text, then_text.nbytes, JSON_REJECT_DUPLICATES, NULL);
    json_t *now = json_loadb(now_text.text, now_text.nbytes, JSON_REJECT_DUPLICATES, NULL);
    int result = json_is_object(then) && json_is_object(now) ? 0 : -1;
    const char *key;
    json_t *value;
    json_object_foreach(now, key, value)
    {
        json_t *before = json_object_get(then, key);
        if (!result && !json_equal(before, value))
            result = differ(difference, key, before, value);
    }
    json_object_foreach(then, key, value) if (!result && !json_object_get(now, key)) result =
        differ(difference, key, value, NULL);
    json_decref(then);
    json_decref(now);
    return result;
}
