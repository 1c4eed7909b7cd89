/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"
#include "text.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_string(FILE *file, const char *s)
{
    fputc('"', file);
    while (*s) {
        size_t n = cli_utf8(s);
        unsigned char c = (unsigned char)*s;
        if (n == 0)
            fputs("\\ufffd", file);
        else if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", file);
        else if (c < 0x20 || c == 0x7f)
            fprintf(file, "\\u%04x", c);
        else
            fwrite(s, 1, n, file);
        s += n ? n : 1;
    }
    fputc('"', file);
}

static void begin_value(cli_json *json, const char *key)
{
    if (json->separate)
        fputc(',', json->file);
    json->separate = true;
    if (key) {
        put_string(json->file, key);
        fputc(':', json->file);
    }
}

cli_json cli_json_begin(FILE *file, const char *type)
{
    cli_json json = {.file = file};
    fputc('{', file);
    cli_json_text(&json, "type", type);
    return json;
}

void cli_json_end(cli_json *json)
{
    fputs("}\n", json->file);
}

void cli_json_text(cli_json *json, const char *key, const char *text)
{
    begin_value(json, key);
    if (text)
        put_string(json->file, text);
    else
        fputs("null", json->file);
}

void cli_json_int(cli_json *json, const char *key, int64_t value)
{
    begin_value(json, key);
    fprintf(json->file, "%" PRId64, value);
}

void cli_json_uint(cli_json *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    fprintf(json->file, "%" PRIu64, value);
}

/* The shortest decimal that reads back as value. */
void cli_json_number(cli_json *json, const char *key, double value)
{
    char text[40] = "null";
    for (int digits = 1; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    begin_value(json, key);
    fputs(text, json->file);
}

void cli_json_bool(cli_json *json, const char *key, bool value)
{
    begin_value(json, key);
    fputs(value ? "true" : "false", json->file);
}

void cli_json_null(cli_json *json, const char *key)
{
    begin_value(json, key);
    fputs("null", json->file);
}

void cli_json_open(cli_json *json, const char *key, char bracket)
{
    begin_value(json, key);
    fputc(bracket, json->file);
    json->separate = false;
}

void cli_json_close(cli_json *json, char bracket)
{
    fputc(bracket, json->file);
    json->separate = true;
}
