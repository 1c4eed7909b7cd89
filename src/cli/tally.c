/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"
#include "text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting ---- */

static bool add_side(cli_sides *sides, int length)
{
    if (!sides->counts)
        sides->counts = calloc(CLI_SIDE_MOST + 1, sizeof *sides->counts);
    if (!sides->counts)
        return false;
    sides->counts[length < CLI_SIDE_MOST ? length : CLI_SIDE_MOST]++;
    if (!sides->n || length < sides->least)
        sides->least = length;
    if (length > sides->most)
        sides->most = length;
    sides->n++;
    return true;
}

/* The lower one if there are two. */
int cli_sides_median(const cli_sides *sides)
{
    int64_t before = 0;
    for (int length = 0; sides->n && length <= CLI_SIDE_MOST; length++) {
        before += sides->counts[length];
        if (2 * before >= sides->n)
            return length;
    }
    return 0;
}

static cli_field_tally *field_named(cli_tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->nfields; i++)
        if (!strcmp(tally->fields[i].name, name))
            return &tally->fields[i];
    if (tally->nfields == tally->capacity) {
        size_t capacity = tally->capacity ? 2 * tally->capacity : 8;
        cli_field_tally *fields = realloc(tally->fields, capacity * sizeof *fields);
        if (!fields)
            return NULL;
        tally->fields = fields;
        tally->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return NULL;
    tally->fields[tally->nfields] = (cli_field_tally){.name = copy};
    return &tally->fields[tally->nfields++];
}

static bool same_type(const mill_type *a, const mill_type *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++)
        same = a->shape[i] == b->shape[i];
    return same;
}

static void add_type(cli_tally *tally, const mill_type *type)
{
    int i = 0;
    while (i < tally->ntypes && !same_type(&tally->types[i].type, type))
        i++;
    if (i == CLI_TYPES_MOST)
        i--;
    else if (i == tally->ntypes)
        tally->types[tally->ntypes++] = (cli_type_tally){.type = *type};
    tally->types[i].samples++;
}

bool cli_tally_add(cli_tally *tally, const mill_sample_info *sample)
{
    for (int i = 0; i < sample->nfields; i++) {
        cli_field_tally *field = field_named(tally, sample->fields[i].name);
        if (!field)
            return false;
        field->samples++;
        field->nbytes += sample->fields[i].nbytes;
    }
    if (sample->type.dtype)
        add_type(tally, &sample->type);
    if (!sample->width)
        return true;
    tally->channels[sample->channels >= 1 && sample->channels <= 4 ? sample->channels : 0]++;
    return add_side(&tally->widths, sample->width) && add_side(&tally->heights, sample->height);
}

static void clear_sides(cli_sides *sides)
{
    uint32_t *counts = sides->counts;
    if (counts && sides->n)
        memset(counts, 0, (CLI_SIDE_MOST + 1) * sizeof *counts);
    *sides = (cli_sides){.counts = counts};
}

void cli_tally_clear(cli_tally *tally)
{
    for (size_t i = 0; i < tally->nfields; i++)
        free(tally->fields[i].name);
    clear_sides(&tally->widths);
    clear_sides(&tally->heights);
    *tally = (cli_tally){.fields = tally->fields,
                         .capacity = tally->capacity,
                         .widths = tally->widths,
                         .heights = tally->heights};
}

void cli_tally_free(cli_tally *tally)
{
    cli_tally_clear(tally);
    free(tally->fields);
    free(tally->widths.counts);
    free(tally->heights.counts);
}

/* ---- showing ---- */

void cli_type_text(const mill_type *type, char *text, size_t nbytes)
{
    int n = snprintf(text, nbytes, "%s (", mill_dtype_name(type->dtype));
    for (int i = 0; i < type->rank && n > 0 && (size_t)n < nbytes; i++) {
        const char *separator = i + 1 < type->rank ? ", " : type->rank == 1 ? "," : "";
        if (type->shape[i] < 0)
            n += snprintf(text + n, nbytes - (size_t)n, "any%s", separator);
        else
            n += snprintf(text + n, nbytes - (size_t)n, "%" PRId64 "%s", type->shape[i], separator);
    }
    if (n > 0 && (size_t)n < nbytes)
        snprintf(text + n, nbytes - (size_t)n, ")");
}

static void print_fields(const cli_tally *tally)
{
    int widest = 0;
    for (size_t i = 0; i < tally->nfields; i++) {
        int n = (int)strlen(tally->fields[i].name);
        widest = n > widest && n <= 24 ? n : widest;
    }
    for (size_t i = 0; i < tally->nfields; i++) {
        const cli_field_tally *f = &tally->fields[i];
        printf("  %-8s ", i ? "" : "fields");
        cli_plain(stdout, f->name);
        printf("%*s  in %" PRId64 " sample%s, %s\n",
               widest > (int)strlen(f->name) ? widest - (int)strlen(f->name) : 0, "", f->samples,
               cli_plural(f->samples), cli_size(f->nbytes).s);
    }
}

static void print_images(const cli_tally *tally)
{
    static const char *const colours[] = {"of more channels", "grey", "of 2 channels", "colour",
                                          "of 4 channels"};
    static const int order[] = {3, 1, 2, 4, 0};
    const cli_sides *w = &tally->widths, *h = &tally->heights;
    if (!w->n)
        return;
    printf("  images   %" PRId64 ": ", w->n);
    for (int i = 0, shown = 0; i < 5; i++)
        if (tally->channels[order[i]])
            printf("%s%" PRId64 " %s", shown++ ? ", " : "", tally->channels[order[i]], colours[order[i]]);
    printf("; width %d to %d, median %d; height %d to %d, median %d\n", w->least, w->most,
           cli_sides_median(w), h->least, h->most, cli_sides_median(h));
}

void cli_tally_print(const cli_tally *tally)
{
    print_fields(tally);
    print_images(tally);
    for (int i = 0; i < tally->ntypes; i++) {
        char text[200];
        cli_type_text(&tally->types[i].type, text, sizeof text);
        printf("  %-8s %" PRId64 " of %s%s\n", i ? "" : "tensors", tally->types[i].samples, text,
               i + 1 == CLI_TYPES_MOST ? " or others" : "");
    }
}

static void sides_json(const cli_sides *sides, const char *key, cli_json *json)
{
    cli_json_open(json, key, '{');
    cli_json_int(json, "min", sides->least);
    cli_json_int(json, "median", cli_sides_median(sides));
    cli_json_int(json, "max", sides->most);
    cli_json_close(json, '}');
}

static void tensors_json(const cli_tally *tally, cli_json *json)
{
    cli_json_open(json, "tensors", '[');
    for (int i = 0; i < tally->ntypes; i++) {
        const mill_type *type = &tally->types[i].type;
        cli_json_open(json, NULL, '{');
        cli_json_text(json, "dtype", mill_dtype_name(type->dtype));
        cli_json_open(json, "shape", '[');
        for (int axis = 0; axis < type->rank; axis++)
            cli_json_int(json, NULL, type->shape[axis]);
        cli_json_close(json, ']');
        cli_json_int(json, "samples", tally->types[i].samples);
        cli_json_close(json, '}');
    }
    cli_json_close(json, ']');
}

void cli_tally_json(const cli_tally *tally, cli_json *json)
{
    static const char *const channels[] = {"other", "1", "2", "3", "4"};
    cli_json_open(json, "fields", '[');
    for (size_t i = 0; i < tally->nfields; i++) {
        cli_json_open(json, NULL, '{');
        cli_json_text(json, "name", tally->fields[i].name);
        cli_json_int(json, "samples", tally->fields[i].samples);
        cli_json_uint(json, "nbytes", tally->fields[i].nbytes);
        cli_json_close(json, '}');
    }
    cli_json_close(json, ']');
    if (tally->widths.n) {
        cli_json_open(json, "images", '{');
        cli_json_int(json, "samples", tally->widths.n);
        sides_json(&tally->widths, "width", json);
        sides_json(&tally->heights, "height", json);
        cli_json_open(json, "channels", '{');
        for (int i = 0; i < 5; i++)
            if (tally->channels[i])
                cli_json_int(json, channels[i], tally->channels[i]);
        cli_json_close(json, '}');
        cli_json_close(json, '}');
    } else {
        cli_json_null(json, "images");
    }
    tensors_json(tally, json);
}
