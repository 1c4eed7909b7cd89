/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth.c: makes data sets of any size out of nothing, so that the demo, the tests and the benchmarks
 * need no download: WebDataset tar shards of photograph-like JPEGs, or .npy shards of numbers.
 *
 * A picture is a "dead leaves" scene (Lee, Mumford, Huang: "Occlusion models for natural images", 2001): a
 * backdrop, a ground, many flat shapes whose sizes follow a power law and which hide each other, and a main
 * object. Each shape has its colour, its shading, and a texture whose amplitude falls as about 1/f over the
 * octaves. Then come a lens (a small blur) and a sensor (grain). Such pictures have the spectrum, the sparse
 * edges and, what matters here, the bytes a pixel of photographs at the same JPEG quality. The class sets
 * the hue, outline and texture direction of the main object, with a spread: a linear classifier learns some.
 *
 * The same arguments give the same bytes everywhere: the arithmetic is integers, and doubles of which only
 * exactly rounded operations (+ - * / sqrt) are asked; picture i depends on the seed and i alone.
 * (So no expression may draw two random numbers: C leaves their order to the compiler.) */
#include "synth/npy.h"
#include "synth/tar.h"
#include <getopt.h>
#include <sys/stat.h>

static const char help[] =
    "usage: synth OUTDIR [options]\n"
    "Makes WebDataset shards of photograph-like JPEGs, OUTDIR/train-000000.tar and so on.\n"
    "The same options give the same bytes everywhere.\n"
    "  --shards N             number of shards (4)\n"
    "  --samples-per-shard N  samples in a shard (100)\n"
    "  --classes N            number of classes (10)\n"
    "  --size WxH             usual size of a picture; others are about it (500x375)\n"
    "  --fixed                every picture has exactly that size\n"
    "  --quality Q            one JPEG quality for all (a mix of 75 to 96)\n"
    "  --pattern NAME         photo, flat or noise (photo)\n"
    "  --seed S               another seed gives another data set (1)\n"
    "  --reuse K              render K pictures only and repeat them under new keys: fast large data sets\n"
    "  --prefix NAME          first part of the shards' names (train)\n"
    "  --digits N             digits of a shard's number (6)\n"
    "  --npy SHAPE            write .npy shards of float32 instead, rows of this shape, e.g. 16 or 3x8x8\n"
    "  --spoil                damage samples 1 to 6 of every eight, each in another way; see data/README.md\n"
    "example: synth /tmp/photos --shards 20 --samples-per-shard 1000 --reuse 500\n";

/* Up to `most` numbers with x between them. */
static int parse_shape(const char *name, const char *text, int most, int *out)
{
    int n = 0;
    for (const char *p = text;; p++) {
        char *end;
        long v = strtol(p, &end, 10);
        if (end == p || v < 1 || v > MAX_SIDE || n == most || (*end && *end != 'x'))
            usage(name, text);
        out[n++] = (int)v;
        if (!*end)
            return n;
        p = end;
    }
}

static int parse_count(const char *name, const char *text, int low, int high)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < low || v > high)
        usage(name, text);
    return (int)v;
}

static uint64_t parse_seed(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-')
        usage("--seed needs a whole number", text);
    return v;
}

static enum pattern parse_pattern(const char *text)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(text, pattern_names[i]))
            return (enum pattern)i;
    usage("--pattern is photo, flat or noise, not", text);
}

static void parse_size(options *o, const char *text)
{
    int size[2];
    if (parse_shape("--size needs WxH", text, 2, size) != 2)
        usage("--size needs WxH", text);
    o->width = at_least(size[0], 8);
    o->height = at_least(size[1], 8);
}

static void parse_option(options *o, int option, const char *value)
{
    switch (option) {
    case 's':
        o->nshards = parse_count("--shards needs a count", value, 1, 1000000);
        break;
    case 'n':
        o->nsamples = parse_count("--samples-per-shard needs a count", value, 0, 100000000);
        break;
    case 'c':
        o->nclasses = parse_count("--classes needs 1 to 100000", value, 1, 100000);
        break;
    case 'w':
        parse_size(o, value);
        break;
    case 'f':
        o->fixed = true;
        break;
    case 'q':
        o->quality = parse_count("--quality needs 1 to 100", value, 1, 100);
        break;
    case 'p':
        o->pattern = parse_pattern(value);
        break;
    case 'S':
        o->seed = parse_seed(value);
        break;
    case 'r':
        o->reuse = parse_count("--reuse needs a count", value, 1, 10000000);
        break;
    case 'P':
        o->prefix = value;
        break;
    case 'd':
        o->digits = parse_count("--digits needs 1 to 9", value, 1, 9);
        break;
    case 'N':
        o->nrow = parse_shape("--npy needs a shape such as 16 or 3x8x8", value, 4, o->row);
        break;
    case 'x':
        o->spoil = true;
        break;
    case 'h':
        fputs(help, stdout);
        exit(0);
    default:
        usage("unknown option or missing value", NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"shards", 1, 0, 's'},
                                          {"samples-per-shard", 1, 0, 'n'},
                                          {"classes", 1, 0, 'c'},
                                          {"size", 1, 0, 'w'},
                                          {"fixed", 0, 0, 'f'},
                                          {"quality", 1, 0, 'q'},
                                          {"pattern", 1, 0, 'p'},
                                          {"seed", 1, 0, 'S'},
                                          {"reuse", 1, 0, 'r'},
                                          {"prefix", 1, 0, 'P'},
                                          {"digits", 1, 0, 'd'},
                                          {"npy", 1, 0, 'N'},
                                          {"spoil", 0, 0, 'x'},
                                          {"help", 0, 0, 'h'},
                                          {0, 0, 0, 0}};
    options o = {.prefix = "train",
                 .nshards = 4,
                 .nsamples = 100,
                 .nclasses = 10,
                 .width = 500,
                 .height = 375,
                 .digits = 6,
                 .seed = 1};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        parse_option(&o, c, optarg);
    if (optind + 1 != argc)
        usage("needs one output folder", NULL);
    o.folder = argv[optind];
    if (mkdir(o.folder, 0777) && errno != EEXIST)
        give_up("cannot make folder", o.folder);
    uint64_t nbytes = o.nrow ? make_npy(&o) : make_tar(&o);
    printf("synth: %d shards, %llu samples, %.1f MB in %s (seed %llu)\n", o.nshards,
           (unsigned long long)o.nshards * (unsigned long long)o.nsamples, (double)nbytes / 1e6, o.folder,
           (unsigned long long)o.seed);
    return 0;
}
