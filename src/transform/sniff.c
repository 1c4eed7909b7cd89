/* SPDX-License-Identifier: Apache-2.0 */
/* transform/sniff.c: magic numbers, and the EXIF orientation (JEITA CP-3451: a TIFF file in the JPEG's first
 * APP1 segment that begins "Exif\0\0"; tag 0x0112 of its first directory). */
#include "transform/sniff.h"
#include <string.h>
#include <strings.h>

bool mill__is_jpeg(const uint8_t *data, size_t nbytes)
{
    return nbytes >= 2 && data[0] == 0xff && data[1] == 0xd8;
}

/* ---- other formats ---- */

static const struct {
    size_t at, nbytes;
    const char *magic;
    const char *name;
} magics[] = {
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG image"},
    {8, 4, "WEBP", "a WebP image"},
    {0, 4, "GIF8", "a GIF image"},
    {0, 2, "BM", "a BMP image"},
    {0, 4, "II*\0", "a TIFF image"},
    {0, 4, "MM\0*", "a TIFF image"},
    {4, 8, "ftypavif", "an AVIF image"},
    {4, 8, "ftypheic", "a HEIC image"},
    {4, 8, "jP  \r\n\x87\n", "a JPEG 2000 image"},
    {0, 2, "\xff\x0a", "a JPEG XL image"},
    {0, 2, "\x1f\x8b", "gzip-compressed data"},
    {0, 4, "PK\3\4", "a ZIP archive"},
    {0, 5, "%PDF-", "a PDF document"},
};

static bool begins_with_tag(const uint8_t *data, size_t nbytes)
{
    static const char *const tags[] = {"<html", "<!doctype html", "<head", "<body"};
    while (nbytes && strchr(" \t\r\n", *data) && *data) {
        data++;
        nbytes--;
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (nbytes >= strlen(tags[i]) && !strncasecmp((const char *)data, tags[i], strlen(tags[i])))
            return true;
    return false;
}

static bool is_all_zero(const uint8_t *data, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (data[i])
            return false;
    return true;
}

const char *mill__looks_like(const uint8_t *data, size_t nbytes)
{
    if (!nbytes)
        return "an empty file";
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (nbytes >= magics[i].at + magics[i].nbytes &&
            !memcmp(data + magics[i].at, magics[i].magic, magics[i].nbytes))
            return magics[i].name;
    if (begins_with_tag(data, nbytes))
        return "an HTML page";
    if (*data == '<')
        return "an XML or SVG document";
    if (is_all_zero(data, nbytes < 4096 ? nbytes : 4096))
        return "nothing but zeros";
    return "something else";
}

/* ---- EXIF ---- */

typedef struct tiff {
    const uint8_t *data;
    size_t nbytes;
    bool big_endian;
} tiff;

/* 0 behind the end. */
static uint32_t number_at(const tiff *t, uint64_t at, int width)
{
    uint32_t n = 0;
    if (at > t->nbytes || t->nbytes - at < (size_t)width)
        return 0;
    for (int i = 0; i < width; i++)
        n |= (uint32_t)t->data[at + (uint64_t)i] << 8 * (t->big_endian ? width - 1 - i : i);
    return n;
}

static int tiff_orientation(const tiff *t)
{
    enum { ORIENTATION = 0x112, SHORT = 3, LONG = 4, ENTRY_NBYTES = 12 };
    uint64_t directory = number_at(t, 4, 4);
    uint32_t n = number_at(t, directory, 2);
    if (number_at(t, 2, 2) != 42)
        return 1;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = directory + 2 + (uint64_t)i * ENTRY_NBYTES;
        if (entry + ENTRY_NBYTES > t->nbytes)
            break;
        if (number_at(t, entry, 2) != ORIENTATION)
            continue;
        uint32_t type = number_at(t, entry + 2, 2), count = number_at(t, entry + 4, 4);
        uint32_t value = number_at(t, entry + 8, type == LONG ? 4 : 2);
        bool sound = (type == SHORT || type == LONG) && count == 1 && value >= 1 && value <= 8;
        return sound ? (int)value : 1;
    }
    return 1;
}

static int segment_orientation(const uint8_t *data, size_t nbytes)
{
    tiff t = {data + 6, nbytes - 6, data[6] == 'M'};
    bool marked = t.nbytes >= 8 && (!memcmp(t.data, "II", 2) || !memcmp(t.data, "MM", 2));
    return marked ? tiff_orientation(&t) : 1;
}

int mill__exif_orientation(const uint8_t *data, size_t nbytes)
{
    enum { SOS = 0xda, EOI = 0xd9, APP1 = 0xe1, TEM = 0x01, RST0 = 0xd0, SOI = 0xd8 };
    size_t at = 2;
    while (at + 4 <= nbytes) {
        if (data[at] != 0xff || data[at + 1] == 0xff) { /* garbage, or fill bytes before a marker */
            at++;
            continue;
        }
        int marker = data[at + 1];
        at += 2;
        if (marker == SOS || marker == EOI)
            break;
        if (marker == 0 || marker == TEM || (marker >= RST0 && marker <= SOI))
            continue;
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        length = length < 2 ? 2 : length; /* as libjpeg takes it */
        if (length > nbytes - at)
            break;
        if (marker == APP1 && length >= 8 + 6 && !memcmp(data + at + 2, "Exif\0", 6))
            return segment_orientation(data + at + 2, length - 2);
        at += length;
    }
    return 1;
}
