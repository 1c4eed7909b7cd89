/* SPDX-License-Identifier: Apache-2.0 */
/* format/npz.c: arrays in a zip archive, as np.savez and np.savez_compressed write them; their first axes
 * count the same samples. One of them is the tensor, one may be the label, the others are further fields.
 *
 * Walkers see neither zip nor arrays: the view shows rows, one behind the other, in each of which the rows of
 * all arrays stand side by side, each at a multiple of 8 bytes. With one array these are its rows as they
 * lie. Compressed members are inflated as they are read (inflate.h), and their checksums are checked before;
 * those of stored ones are not, as that would mean to read all of it. */
#include "base/error.h"
#include "base/memory.h"
#include "format/inflate.h"
#include "format/npy_header.h"
#include "format/rows.h"
#include "format/zip.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_NBYTES = 64 << 10, TILE_NBYTES = 256 << 10, LONG_ROW_NBYTES = 16 << 10 };

/* One array. */
typedef struct array {
    char *name; /* of the member, without .npy */
    const mill__bytes *stored;
    mill__zip_member member;
    mill__bytes inflated; /* read NULL: it is stored plainly */
    mill__bytes view;     /* likewise: rows lie as they are wanted */
    mill__rows is;
    size_t at; /* in a row of the view */
} array;

typedef struct npz {
    mill__bytes stored;
    mill__rows is; /* the layout: first, as walkers take it for that */
    mill__column *columns;
    array *arrays; /* the tensor first, then the fields, then the label */
    size_t narrays;
    bool direct;          /* a single array, rows as they lie */
    uint64_t keep_nbytes; /* that arrays to come may keep inflated */
} npz;

/* ---- reading one array ---- */

/* The bytes of a member, from its beginning. */
static mill_status read_member(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    const array *a = handle;
    uint64_t left = offset < a->member.inflated_nbytes ? a->member.inflated_nbytes - offset : 0;
    *got = 0;
    if (n > left)
        n = (size_t)left;
    if (!n)
        return MILL_OK;
    if (a->inflated.read)
        return a->inflated.read(a->inflated.handle, offset, data, n, got, err);
    return a->stored->read(a->stored->handle, a->member.offset + offset, data, n, got, err);
}

static mill_status read_rows(const array *a, uint64_t at, void *data, size_t n, mill_error *err)
{
    size_t got = 0;
    uint64_t offset = a->is.first + at;
    mill_status status = a->view.read ? a->view.read(a->view.handle, offset, data, n, &got, err)
                                      : read_member((void *)(uintptr_t)a, offset, data, n, &got, err);
    if (!status && got < n)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "the shard has shrunk since it was opened");
    return status;
}

/* ---- the rows of all arrays side by side ---- */

/* n rows of one array into rows of the view. */
static mill_status place_rows(const npz *z, const array *a, uint64_t first, size_t n, uint8_t *rows,
                              uint8_t *tile, mill_error *err)
{
    size_t own = (size_t)a->is.row_nbytes, row = (size_t)z->is.row_nbytes;
    bool is_long = own >= LONG_ROW_NBYTES; /* each a read, to where it belongs */
    size_t most = is_long ? 1 : TILE_NBYTES / own;
    mill_status status = MILL_OK;
    rows += a->at;
    for (size_t i = 0, part; i < n && !status; i += part) {
        part = n - i < most ? n - i : most;
        status = read_rows(a, (first + i) * own, is_long ? rows + i * row : tile, part * own, err);
        for (size_t k = 0; k < part && !is_long && !status; k++)
            memcpy(rows + (i + k) * row, tile + k * own, own);
    }
    return status;
}

static mill_status make_rows(const npz *z, uint64_t first, size_t n, uint8_t *rows, uint8_t *tile,
                             mill_error *err)
{
    size_t row = (size_t)z->is.row_nbytes;
    mill_status status = MILL_OK;
    for (size_t i = 0; i < n; i++) /* padding, behind each of the arrays */
        for (size_t k = 0; k < z->narrays; k++) {
            size_t end = z->arrays[k].at + (size_t)z->arrays[k].is.row_nbytes;
            memset(rows + i * row + end, 0, -end % 8);
        }
    for (size_t k = 0; k < z->narrays && !status; k++)
        status = place_rows(z, &z->arrays[k], first, n, rows, tile, err);
    return status;
}

/* n bytes from at on; rows that are wanted in part are made whole first. */
static mill_status read_beside(const npz *z, uint64_t at, uint8_t *data, size_t n, mill_error *err)
{
    size_t row = (size_t)z->is.row_nbytes, inside = (size_t)(at % row);
    bool whole = !inside && n % row == 0;
    uint8_t *tile = mill__alloc(TILE_NBYTES + (whole ? 0 : row)), *one = tile + TILE_NBYTES;
    mill_status status = tile ? MILL_OK : mill__no_memory(err, TILE_NBYTES + row, "rows of a .npz shard");
    for (size_t part; n && !status; at += part, data += part, n -= part) {
        inside = (size_t)(at % row);
        if (!inside && n >= row) {
            part = n / row * row;
            status = make_rows(z, at / row, n / row, data, tile, err);
            continue;
        }
        part = n < row - inside ? n : row - inside;
        status = make_rows(z, at / row, 1, one, tile, err);
        if (!status)
            memcpy(data, one + inside, part);
    }
    mill__free(tile);
    return status;
}

static mill_status read_view(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                             mill_error *err)
{
    const npz *z = handle;
    uint64_t nbytes = z->is.rows * z->is.row_nbytes, left = offset < nbytes ? nbytes - offset : 0;
    *got = n < left ? n : (size_t)left;
    if (!*got)
        return MILL_OK;
    mill_status status = z->direct ? read_rows(&z->arrays[0], offset, data, *got, err)
                                   : read_beside(z, offset, data, *got, err);
    if (status)
        *got = 0;
    return status;
}

/* ---- opening arrays ---- */

static void end_array(array *a)
{
    if (a->view.read)
        a->view.close(a->view.handle);
    if (a->inflated.read)
        a->inflated.close(a->inflated.handle);
    free(a->name);
}

static void close_view(void *handle)
{
    npz *z = handle;
    for (size_t i = 0; i < z->narrays; i++)
        end_array(&z->arrays[i]);
    free(z->arrays);
    free(z->columns);
    free(z);
}

/* In front of what went wrong with an array: its name; and where its member begins, if that is not known. */
static mill_status name_array(const array *a, mill_status status, mill_error *err)
{
    if (!err)
        return status;
    mill_error why = *err;
    mill_fail(err, status, why.kind, "array \"%.60s\": %s", a->name, why.message);
    err->os_error = why.os_error;
    mill__error_where(err, NULL, NULL, why.offset != MILL_NO_OFFSET ? why.offset : a->member.header);
    return status;
}

static mill_status read_header(array *a, mill_error *err)
{
    size_t n = a->member.inflated_nbytes < HEAD_NBYTES ? (size_t)a->member.inflated_nbytes : HEAD_NBYTES;
    size_t got = 0, need = 0;
    uint8_t *head = mill__alloc(n);
    if (!head)
        return mill__no_memory(err, n, "the head of an array");
    mill_status status = read_member(a, 0, head, n, &got, err);
    const mill__window window = {.data = head, .nbytes = got, .last = true};
    if (!status)
        status =
            mill__format_npy.rows(&mill__format_npy, &window, a->member.inflated_nbytes, &a->is, &need, err);
    mill__free(head);
    if (status == MILL_AGAIN)
        return mill_fail(err, MILL_BAD_DATA, "truncated", "it ends within its header");
    return status;
}

static mill_status check_size(const array *a, mill_error *err)
{
    uint64_t wanted = a->is.first + a->is.rows * a->is.row_nbytes, nbytes = a->member.inflated_nbytes;
    if (a->is.rows && !a->is.row_nbytes)
        return mill_fail(err, MILL_BAD_DATA, "shape", "%" PRIu64 " rows without elements", a->is.rows);
    if (wanted != nbytes)
        return mill_fail(err, MILL_BAD_DATA, wanted > nbytes ? "truncated" : "trailing",
                         "its header promises %" PRIu64 " bytes, but it has %" PRIu64, wanted, nbytes);
    return MILL_OK;
}

/* An array is kept if all of it can be. */
static uint64_t take_memory(npz *z, const mill__zip_member *member)
{
    enum { SLACK = 64 << 10 }; /* it grows in pieces */
    uint64_t nbytes = member->inflated_nbytes;
    if (!member->deflated || z->keep_nbytes < SLACK || nbytes > z->keep_nbytes - SLACK)
        return 0;
    z->keep_nbytes -= nbytes + SLACK;
    return nbytes + SLACK;
}

static mill_status open_array(npz *z, const mill__zip_member *member, array *a, mill_error *err)
{
    size_t length = strlen(member->name);
    bool npy = length > 4 && !strcmp(member->name + length - 4, ".npy");
    *a = (array){
        .name = strndup(member->name, npy ? length - 4 : length), .stored = &z->stored, .member = *member};
    a->member.name = NULL; /* the archive's */
    if (!a->name)
        return mill__no_memory(err, length, "the name of an array");
    mill__error_clear(err);
    const mill__deflated packed = {.offset = member->offset,
                                   .nbytes = member->nbytes,
                                   .inflated_nbytes = member->inflated_nbytes,
                                   .crc = member->crc,
                                   .keep_nbytes = take_memory(z, member)};
    mill_status status = !npy ? mill_fail(err, MILL_UNSUPPORTED, "unsupported", "it is no .npy file")
                         : member->deflated ? mill__inflate(&z->stored, &packed, &a->inflated, err)
                                            : MILL_OK;
    if (!status)
        status = read_header(a, err);
    if (!status)
        status = check_size(a, err);
    return status ? name_array(a, status, err) : MILL_OK;
}

/* Other byte orders and Fortran order. Once the array is where it stays: the view points to it. */
static mill_status open_view(array *a, mill_error *err)
{
    const mill__bytes bytes = {.read = read_member, .handle = a};
    mill_shard_info info = {.nbytes = a->member.inflated_nbytes};
    mill__error_clear(err);
    mill_status status = mill__rows_view(&mill__format_npy, &bytes, &info, 0, &a->view, err);
    return status ? name_array(a, status, err) : MILL_OK;
}

/* ---- which of them ---- */

static array *find(const npz *z, const char *name)
{
    for (size_t i = 0; i < z->narrays; i++)
        if (z->arrays[i].name && !strcasecmp(z->arrays[i].name, name))
            return &z->arrays[i];
    return NULL;
}

static bool can_label(const array *a)
{
    mill_dtype t = a->is.type.dtype;
    return t != MILL_F16 && t != MILL_BF16 && t != MILL_F32 && t != MILL_F64 &&
           a->is.row_nbytes == mill_dtype_nbytes(t);
}

static const char *const usual_labels[] = {"label", "labels", "y", "target", "targets"};
enum { USUAL_LABELS = sizeof usual_labels / sizeof *usual_labels };

static array *usual_label(const npz *z)
{
    for (size_t i = 0; i < USUAL_LABELS; i++) {
        array *a = find(z, usual_labels[i]);
        if (a && can_label(a))
            return a;
    }
    return NULL;
}

/* Besides the label. */
static array *usual_data(const npz *z, const array *label)
{
    static const char *const names[] = {"data", "image", "images", "x", "arr_0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        array *a = find(z, names[i]);
        if (a && a != label)
            return a;
    }
    size_t others = z->narrays - (label != NULL);
    array *first = &z->arrays[0];
    return others != 1 ? NULL : first == label ? first + 1 : first;
}

static mill_status no_such(const mill__zip *zip, const char *what, const char *name, mill_error *err)
{
    char list[160] = "";
    for (size_t i = 0, used = 0; i < zip->n && used < sizeof list - 1; i++) {
        int length = (int)strcspn(zip->members[i].name, "."); /* whatever follows: it is to be recognized */
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", length,
                                 zip->members[i].name);
    }
    if (*name)
        return mill_fail(err, MILL_BAD_DATA, "array", "there is no array \"%s\" in it; there are: %s", name,
                         list);
    return mill_fail(err, MILL_BAD_DATA, "array",
                     "which array is the %s? Name it, as in npz:%s=NAME; there are: %s", what, what, list);
}

static void swap_arrays(array *a, array *b)
{
    array other = *a;
    *a = *b;
    *b = other;
}

/* The tensor first, the label last. */
static mill_status choose(npz *z, const mill__format_settings *s, const mill__zip *zip, bool *labelled,
                          mill_error *err)
{
    bool none = !strcmp(s->label, "none");
    bool other = z->narrays > 1 || *s->label;
    array *label = none || !other ? NULL : *s->label ? find(z, s->label) : usual_label(z);
    array *data = *s->data ? find(z, s->data) : usual_data(z, label);
    if (*s->data && !*s->label && label == data)
        label = NULL;
    if (!data)
        return no_such(zip, "data", s->data, err);
    if (*s->label && !none && !label)
        return no_such(zip, "label", s->label, err);
    if (label == data)
        return mill_fail(err, MILL_BAD_DATA, "array", "array \"%.60s\" cannot be data and label", data->name);
    if (label && !can_label(label))
        return name_array(label, mill_fail(err, MILL_BAD_DATA, "array", "labels are a vector of integers"),
                          err);
    *labelled = label != NULL;
    swap_arrays(&z->arrays[0], data);
    if (label == &z->arrays[0]) /* it was swapped away */
        label = data;
    if (label)
        swap_arrays(&z->arrays[z->narrays - 1], label);
    return MILL_OK;
}

/* Named ones and a usual label alone are wanted if the data are named: others may be of another length. */
static bool is_wanted(const mill__format_settings *s, const mill__zip_member *m)
{
    size_t length = strlen(m->name);
    char name[64];
    if (!*s->data)
        return true;
    if (length < 4 || length - 4 >= sizeof name || strcmp(m->name + length - 4, ".npy") != 0)
        return false;
    memcpy(name, m->name, length - 4);
    name[length - 4] = 0;
    bool wanted = !strcasecmp(name, s->data) || !strcasecmp(name, s->label);
    for (size_t i = 0; !*s->label && i < USUAL_LABELS; i++)
        wanted |= !strcasecmp(name, usual_labels[i]);
    return wanted;
}

/* ---- the layout ---- */

static mill_status check_arrays(const npz *z, mill_error *err)
{
    const array *data = &z->arrays[0];
    if (z->narrays > MILL__MAX_FIELDS)
        return mill_fail(err, MILL_LIMIT, "limit", "%zu arrays; at most %d are read", z->narrays,
                         MILL__MAX_FIELDS);
    for (size_t i = 0; i < z->narrays; i++) {
        const array *a = &z->arrays[i];
        if (a->is.rows != data->is.rows)
            return name_array(a,
                              mill_fail(err, MILL_BAD_DATA, "shape",
                                        "%" PRIu64 " rows, but \"%.60s\" has %" PRIu64
                                        "; say npz:data=NAME to read one of them",
                                        a->is.rows, data->name, data->is.rows),
                              err);
        if (!a->name || strlen(a->name) > MILL__MAX_FIELD_NAME)
            return name_array(
                a,
                mill_fail(err, MILL_LIMIT, "limit", "its name has more than %d bytes", MILL__MAX_FIELD_NAME),
                err);
    }
    return MILL_OK;
}

static mill_status lay_out(npz *z, bool labelled, mill_error *err)
{
    uint64_t nbytes = 0, all;
    size_t nfields = z->narrays - labelled;
    z->columns = calloc(z->narrays + 1, sizeof *z->columns);
    if (!z->columns)
        return mill__no_memory(err, nfields * sizeof *z->columns, "the fields of a .npz shard");
    for (size_t i = 0; i < z->narrays; i++) {
        array *a = &z->arrays[i];
        a->at = (size_t)nbytes;
        nbytes += z->narrays > 1 ? (a->is.row_nbytes + 7) / 8 * 8 : a->is.row_nbytes;
        if (i < nfields)
            z->columns[i] =
                (mill__column){.name = i ? a->name : "data", .at = a->at, .nbytes = (size_t)a->is.row_nbytes};
    }
    const array *first = &z->arrays[0], *last = &z->arrays[z->narrays - 1];
    if (__builtin_mul_overflow(nbytes, first->is.rows, &all) || all >> 62)
        return mill_fail(err, MILL_LIMIT, "limit", "rows of 2^62 bytes or more together");
    z->direct = z->narrays == 1;
    z->is = (mill__rows){.type = first->is.type,
                         .rows = first->is.rows,
                         .row_nbytes = nbytes,
                         .ncolumns = (int)nfields,
                         .columns = z->columns,
                         .label_at = last->at,
                         .label = labelled ? last->is.type.dtype : 0};
    return MILL_OK;
}

static mill_status open_arrays(npz *z, const mill__format_settings *s, const mill__zip *zip, mill_error *err)
{
    bool labelled = false;
    mill_status status = MILL_OK;
    z->arrays = calloc(zip->n + 1, sizeof *z->arrays);
    if (!z->arrays)
        return mill__no_memory(err, zip->n * sizeof *z->arrays, "the arrays of a .npz shard");
    for (size_t i = 0; i < zip->n && !status; i++)
        if (is_wanted(s, &zip->members[i]))
            status = open_array(z, &zip->members[i], &z->arrays[z->narrays++], err);
    if (!status && !z->narrays && !*s->data)
        status = mill_fail(err, MILL_BAD_DATA, "array", "the archive is empty");
    if (!status)
        status = choose(z, s, zip, &labelled, err);
    if (!status)
        status = check_arrays(z, err);
    for (size_t i = 0; i < z->narrays && !status; i++)
        status = open_view(&z->arrays[i], err);
    return status ? status : lay_out(z, labelled, err);
}

static mill_status view(const mill__format_ops *self, const mill__bytes *stored, mill_shard_info *info,
                        uint64_t memory_nbytes, mill__bytes *bytes, mill_error *err)
{
    mill__zip zip;
    mill_error why;
    mill__error_clear(&why);
    mill_status status = mill__zip_read(stored, info->nbytes, &zip, &why);
    npz *z = status ? NULL : calloc(1, sizeof *z);
    if (!status && !z)
        status = mill__no_memory(&why, sizeof *z, "a .npz shard");
    if (z) {
        z->stored = *stored;
        z->keep_nbytes = memory_nbytes;
        status = open_arrays(z, &self->settings, &zip, &why);
    }
    mill__zip_free(&zip);
    if (status && z)
        close_view(z);
    if (status && err)
        *err = why;
    if (status)
        return status;
    info->nbytes = z->is.rows * z->is.row_nbytes;
    info->layout = &z->is;
    *bytes = (mill__bytes){.read = read_view, .close = close_view, .handle = z};
    return MILL_OK;
}

/* ---- the format ---- */

/* Shards are opened through the view, which leaves a layout; their bytes alone say nothing. */
static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    (void)self, (void)head, (void)nbytes, (void)is, (void)need;
    return mill_fail(err, MILL_INTERNAL, "internal", "a .npz shard without its view");
}

static mill_status take_name(const char *text, char name[56], mill_error *err)
{
    if (!strcmp(text, "auto"))
        text = "";
    if (strlen(text) > MILL__MAX_FIELD_NAME)
        return mill_fail(err, MILL_USAGE, "option", "format npz: a name of more than %d bytes",
                         MILL__MAX_FIELD_NAME);
    strcpy(name, text);
    return MILL_OK;
}

static mill_status settle(const mill_value *values, mill__format_settings *s, mill_error *err)
{
    mill_status status = take_name(values[0].text, s->data, err);
    return status ? status : take_name(values[1].text, s->label, err);
}

static const mill_param params[] = {
    {.name = "data",
     .type = MILL_PARAM_TEXT,
     .fallback = "auto",
     .help = "the array that is the tensor; auto: data, image, images, x or arr_0, or the only one"},
    {.name = "label",
     .type = MILL_PARAM_TEXT,
     .fallback = "auto",
     .help = "the one with the labels, or none; auto: label, labels, y, target or targets, if there is one"}};

const mill__format_ops mill__format_npz = {
    .name = "npz",
    .summary = "NumPy arrays of as many rows each, one of them perhaps the labels: npz:data=x:label=y",
    .extensions = ".npz",
    .params = params,
    .nparams = 2,
    .settle = settle,
    .rows = rows,
    .view = view,
    .resizes = true,
    MILL__ROWS_CALLBACKS};
