/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as JSON text. printf() and strtod() take half a microsecond for each try, too much for the square
 * of a thousand features, so numbers of everyday size go through integers: x = m 2^e, and x 10^places = (m
 * 5^places) 2^(e + places), which 128 bits hold without loss for up to 27 of them. */
#include "base/json_read.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 17, TEXT_NBYTES = 40 };
static const uint64_t most = 100000000000000000; /* MOST_DIGITS of them are below it */

typedef struct decimal {
    uint64_t digits; /* MOST_DIGITS of them, the last ones zeros if fewer do */
    int places;      /* behind the point */
    int precision;   /* of printf's %g: 15, 16 or 17 */
} decimal;

/* The first of 15, 16, 17 digits that are nearest to m 2^e, or as near as its equal neighbour if m is even.
 */
static decimal shortest(uint64_t m, uint64_t power, int shift, int places)
{
    const unsigned __int128 x = (unsigned __int128)m * power;
    const uint64_t twice = (uint64_t)(x >> (shift - 1));
    const bool more = (unsigned __int128)twice << (shift - 1) != x;
    decimal d = {.places = places, .precision = MOST_DIGITS - 2};
    for (uint64_t unit = 100;; unit /= 10, d.precision++) {
        uint64_t n = twice / (2 * unit), rest = twice % (2 * unit);
        n += rest > unit || (rest == unit && (more || n % 2)); /* half to even, as printf does */
        d.digits = n * unit;
        const unsigned __int128 back = (unsigned __int128)d.digits << shift;
        const uint64_t gap = m == (uint64_t)1 << 52 && back < x ? power / 2 : power;
        const unsigned __int128 off = 2 * (back > x ? back - x : x - back);
        if (d.precision == MOST_DIGITS || off < gap || (off == gap && m % 2 == 0))
            return d;
    }
}

/* false: x >= 0 is too large or too small. */
static bool take_apart(double x, decimal *d)
{
    int exponent;
    if (!(x >= 1e-10 && x < 1e17))
        return false;
    const uint64_t m = (uint64_t)ldexp(frexp(x, &exponent), 53);
    /* x is at least 2^(exponent - 1); digits before the point, perhaps one too few */
    int places = MOST_DIGITS - 1 - (int)floor((exponent - 1) * 0.30102999566398),
        shift = 53 - exponent - places;
    uint64_t power = 1;
    for (int i = 0; i < places; i++)
        power *= 5;
    for (;; places--, shift++, power /= 5) {
        if (places < 1 || shift < 1)
            return false;
        *d = shortest(m, power, shift, places);
        if (d->digits < most)
            return true;
    }
}

/* As %g has it. */
static size_t put_decimal(char *text, const decimal *d)
{
    char digits[MOST_DIGITS];
    uint64_t left = d->digits;
    for (int i = MOST_DIGITS; i--; left /= 10)
        digits[i] = (char)('0' + left % 10);
    int n = MOST_DIGITS, before = MOST_DIGITS - d->places; /* the point */
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (before > d->precision || before < -3)
        return (size_t)snprintf(text, TEXT_NBYTES, "%c%s%.*se%+03d", digits[0], n > 1 ? "." : "", n - 1,
                                digits + 1, before - 1);
    char *to = text;
    for (int i = before < 1 ? before - 1 : 0; i < n || i < before; i++) {
        if (i == before)
            *to++ = '.';
        *to++ = i < 0 || i >= n ? '0' : digits[i];
    }
    return (size_t)(to - text);
}

/* In the "C" locale. */
static int append_shortest(mill__buffer *out, double number)
{
    char text[TEXT_NBYTES] = "null";
    decimal d;
    if (isfinite(number) && take_apart(fabs(number), &d)) {
        text[0] = '-';
        size_t minus = number < 0, n = put_decimal(text + minus, &d);
        return mill__buffer_append(out, text, minus + n);
    }
    for (int digits = 15; isfinite(number) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return mill__buffer_append(out, text, strlen(text));
}

static int append_separated(mill__buffer *out, const double *list, size_t n)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return -1;
    locale_t before = uselocale(plain);
    int failed = 0;
    for (size_t i = 0; i < n && !failed; i++)
        failed = (i && mill__buffer_append(out, ",", 1)) || append_shortest(out, list[i]);
    uselocale(before);
    freelocale(plain);
    return failed ? -1 : 0;
}

int mill__json_append_number(mill__buffer *out, double number)
{
    return append_separated(out, &number, 1);
}

int mill__json_append_numbers(mill__buffer *out, const double *list, size_t n)
{
    int failed = mill__buffer_append(out, "[", 1) || append_separated(out, list, n) ||
                 mill__buffer_append(out, "]", 1);
    return failed ? -1 : 0;
}
