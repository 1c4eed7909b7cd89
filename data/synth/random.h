/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/random.h: random numbers: splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators"), and small things that every part needs. No expression may draw two numbers: C leaves their
 * order to the compiler. */
#ifndef SYNTH_RANDOM_H
#define SYNTH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    uint64_t state;
} random_state;

static uint64_t random_next(random_state *r)
{
    uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* The numbers of one purpose: no two (seed, stream) share them. */
static random_state random_for(uint64_t seed, uint64_t stream)
{
    random_state r = {seed}, s = {0};
    s.state = random_next(&r) ^ stream * 0xD1342543DE82EF95u;
    s.state = random_next(&s);
    return s;
}

/* Uniform, both ends included. */
static int between(random_state *r, int low, int high)
{
    return low + (int)((random_next(r) >> 32) * (uint64_t)(high - low + 1) >> 32);
}

/* Nearly normal, mean 0: a sum of four uniform numbers. */
static int bell(random_state *r, int deviation)
{
    uint64_t bits = random_next(r);
    int sum = 0;
    for (int i = 0; i < 4; i++, bits >>= 16)
        sum += (int)(bits & 0xffff) - 0x8000;
    return (int)((int64_t)sum * deviation / 37837); /* the sum's deviation is 65536 / sqrt(3) */
}

static bool one_in(random_state *r, int n)
{
    return between(r, 1, n) == 1;
}

static void *must(void *p)
{
    if (!p) {
        fputs("synth: out of memory\n", stderr);
        exit(3);
    }
    return p;
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

static uint8_t to_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

#endif
