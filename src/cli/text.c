/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- sizes ---- */

bool cli_size_parse(const char *text, uint64_t *nbytes)
{
    static const char units[] = "kmgt";
    char *end;
    if (!strchr("0123456789.", text[0]) || !text[0])
        return false;
    double n = strtod(text, &end);
    double base = 1024;
    if (end[0] && end[1] && !strcasecmp(end + 1, "b"))
        base = 1000;
    else if (end[0] && end[1] && strcasecmp(end + 1, "ib") != 0)
        return false;
    if (*end && strcasecmp(end, "b") != 0) {
        const char *unit = strchr(units, *end >= 'A' && *end <= 'Z' ? *end - 'A' + 'a' : *end);
        if (!unit)
            return false;
        for (const char *u = units; u <= unit; u++)
            n *= base;
    }
    if (!(n >= 1 && n < 9e18) || memchr(text, 'x', (size_t)(end - text)))
        return false;
    *nbytes = (uint64_t)n;
    return true;
}

static cli_text scaled(uint64_t nbytes, double base, const char *const *units)
{
    cli_text text;
    double n = (double)nbytes;
    int unit = 0;
    for (; n >= base * 0.9995 && units[unit + 1]; unit++)
        n /= base;
    snprintf(text.s, sizeof text.s, "%.*f %s", unit && n < 99.95 ? 1 : 0, n, units[unit]);
    return text;
}

cli_text cli_size(uint64_t nbytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", NULL};
    return scaled(nbytes, 1000, units);
}

cli_text cli_memory(uint64_t nbytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};
    return scaled(nbytes, 1024, units);
}

cli_text cli_rate(double a_second)
{
    cli_text text;
    snprintf(text.s, sizeof text.s, "%.*f", a_second < 9.995 ? 2 : a_second < 99.95 ? 1 : 0, a_second);
    return text;
}

/* ---- times ---- */

cli_text cli_duration(int64_t ns)
{
    cli_text text;
    double s = (double)ns * 1e-9;
    if (s < 0.9995)
        snprintf(text.s, sizeof text.s, "%.*f ms", s < 0.00995 ? 1 : 0, s * 1e3);
    else if (s < 119.5)
        snprintf(text.s, sizeof text.s, "%.*f s", s < 9.995 ? 2 : 1, s);
    else
        snprintf(text.s, sizeof text.s, "%lld min %02lld s", (long long)(s + 0.5) / 60,
                 (long long)(s + 0.5) % 60);
    return text;
}

cli_text cli_clock(double seconds)
{
    cli_text text;
    long long s = seconds < 1e7 ? (long long)(seconds + 0.5) : 9999999;
    if (s < 3600)
        snprintf(text.s, sizeof text.s, "%lld:%02lld", s / 60, s % 60);
    else
        snprintf(text.s, sizeof text.s, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

const char *cli_plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- words ---- */

/* Levenshtein's distance: how many letters must be changed, added or left out. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    size_t n = strlen(a), row[LONGEST + 1];
    if (n > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        row[i] = i;
    for (size_t k = 1; b[k - 1]; k++) {
        size_t diagonal = row[0];
        row[0] = k;
        for (size_t i = 1; i <= n; i++) {
            size_t change = diagonal + (a[i - 1] != b[k - 1]);
            size_t insert = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            diagonal = row[i];
            row[i] = change < insert ? change : insert;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 2;
    for (; *candidates; candidates++) {
        size_t d = strncmp(word, *candidates, strlen(word)) ? distance(word, *candidates) : 1;
        if (d < least) {
            least = d;
            best = *candidates;
        }
    }
    return best;
}

void cli_wrap(FILE *file, const char *text, int column, int indent, int width)
{
    fprintf(file, "%*s", column < indent ? indent - column : 0, "");
    int at = indent,
        blanks = 0; /* blanks are written before the word behind them, so that no line ends in one */
    while (*text) {
        int n = (int)strcspn(text, " \n");
        if (n && at > indent && at + blanks + n > width) {
            fprintf(file, "\n%*s", indent, "");
            at = indent;
        } else if (n) {
            at += fprintf(file, "%*s", blanks, "");
        }
        at += fprintf(file, "%.*s", n, text);
        text += n;
        for (blanks = 0; *text == ' '; text++)
            blanks++;
        for (; *text == '\n'; text++) {
            bool ends = !text[1] || text[1] == '\n';
            fprintf(file, "\n%*s", ends ? 0 : indent, "");
            at = indent;
            blanks = 0;
        }
    }
    fputc('\n', file);
}

static bool continues(const char *s, int n)
{
    for (int i = 1; i <= n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return false;
    return true;
}

size_t cli_utf8(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xc2 && u[0] <= 0xdf)
        return continues(s, 1) ? 2 : 0;
    if (u[0] >= 0xe0 && u[0] <= 0xef) { /* not overlong, no surrogate */
        bool sound = continues(s, 2) && !(u[0] == 0xe0 && u[1] < 0xa0) && !(u[0] == 0xed && u[1] > 0x9f);
        return sound ? 3 : 0;
    }
    if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        bool sound = continues(s, 3) && !(u[0] == 0xf0 && u[1] < 0x90) && !(u[0] == 0xf4 && u[1] > 0x8f);
        return sound ? 4 : 0;
    }
    return 0;
}

static void put_plain(FILE *file, const char *text, size_t nbytes)
{
    for (const char *end = text + nbytes; text < end;) {
        size_t n = cli_utf8(text);
        unsigned char c = (unsigned char)text[0];
        /* C1 controls are two bytes in UTF-8 */
        bool control = n == 1 ? c < 0x20 || c == 0x7f : n == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0;
        if (n && !control)
            fwrite(text, 1, n, file);
        else
            fputc('?', file);
        text += n ? n : 1;
    }
}

void cli_plain(FILE *file, const char *text)
{
    put_plain(file, text, strlen(text));
}

void cli_short(FILE *file, const char *text)
{
    enum { HEAD = 80, TAIL = 60 };
    size_t n = strlen(text), head = HEAD, tail = TAIL;
    if (n <= HEAD + TAIL + 3) {
        put_plain(file, text, n);
        return;
    }
    while (((unsigned char)text[head] & 0xc0) == 0x80 && head > HEAD - 4) /* not within a character */
        head--;
    while (((unsigned char)text[n - tail] & 0xc0) == 0x80 && tail > TAIL - 4)
        tail--;
    put_plain(file, text, head);
    fputs("...", file);
    put_plain(file, text + n - tail, tail);
}
