/* SPDX-License-Identifier: Apache-2.0 */
/* format/inflate.c: a compressed stream has no places to begin at but its own beginning. So when all of it is
 * inflated for the first time, to check it and to learn its size, a few places at ends of deflate blocks are
 * kept together with the 32 KiB before them, which is all that deflate refers to. They are as far apart as
 * their number makes necessary. Reads then begin at the place before them, or where the last read ended. What
 * is small enough is kept as it was inflated. */
#include "format/inflate.h"
#include "base/error.h"
#include "base/memory.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    INPUT_NBYTES = 32 << 10,
    SCRAP_NBYTES = 32 << 10,
    HEAD_NBYTES = 64 << 10,
    WINDOW_NBYTES = 32 << 10,
    PLACES = 16,
    FIRST_SPAN_NBYTES = 256 << 10,
    BARE = -15,
    GZIP = 15 + 16 /* zlib's windowBits */
};

typedef struct place {
    uint64_t out, in; /* bytes before it, inflated and stored */
    int bits;         /* of the byte before in that are not used up */
    uint8_t *window;  /* NULL: none is needed */
    unsigned window_nbytes;
} place;

typedef struct waiting {
    uint64_t offset;
    struct waiting *next;
} waiting;

typedef struct inflated {
    mill__bytes stored;
    mill__deflated is;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool busy;
    waiting *waiting;
    /* the reader's whose turn it is */
    z_stream z;
    bool begun; /* z stands somewhere */
    bool bare;  /* in the midst of a gzip member, whose check z does not see */
    bool ended;
    uint64_t out;  /* inflated so far */
    uint64_t next; /* where the input that z has not got yet begins */
    bool measured;
    uint64_t nbytes, span;
    uint8_t *kept; /* all of it, once it is measured; NULL: it is too much */
    size_t capacity;
    place places[PLACES];
    int nplaces;
    mill_status failed; /* when it was measured */
    mill_error why;
    uint8_t input[INPUT_NBYTES], scrap[SCRAP_NBYTES];
} inflated;

uint32_t mill__crc32(uint32_t crc, const void *data, size_t nbytes)
{
    return (uint32_t)crc32_z(crc, data, nbytes);
}

uint32_t mill__crc32_join(uint32_t a, uint32_t b, uint64_t nbytes)
{
    return (uint32_t)crc32_combine(a, b, (z_off_t)nbytes);
}

/* ---- input ---- */

static uint64_t end_of(const inflated *f)
{
    return f->is.offset + f->is.nbytes;
}

/* Of the first byte that is not used up. */
static uint64_t position(const inflated *f)
{
    return f->next - f->z.avail_in;
}

static mill_status fail_at(const inflated *f, mill_error *err)
{
    mill__error_where(err, NULL, NULL, position(f));
    return MILL_BAD_DATA;
}

static mill_status ends_early(const inflated *f, mill_error *err)
{
    mill_fail(err, MILL_BAD_DATA, "truncated", "the compressed data end too early: they are cut off");
    return fail_at(f, err);
}

/* Have at least n bytes of input, or all there are. */
static mill_status refill(inflated *f, size_t n, mill_error *err)
{
    z_stream *z = &f->z;
    if (z->avail_in >= n || f->next == end_of(f))
        return MILL_OK;
    if (z->avail_in)
        memmove(f->input, z->next_in, z->avail_in);
    z->next_in = f->input;
    uint64_t left = end_of(f) - f->next;
    size_t room = INPUT_NBYTES - z->avail_in, most = left < room ? (size_t)left : room, got = 0;
    mill_status status = f->stored.read(f->stored.handle, f->next, f->input + z->avail_in, most, &got, err);
    if (!status && got < most) {
        mill_fail(err, MILL_BAD_DATA, "truncated", "the shard has shrunk since it was opened");
        status = fail_at(f, err);
    }
    z->avail_in += (unsigned)got;
    f->next += got;
    return status;
}

static mill_status skip(inflated *f, size_t n, mill_error *err)
{
    mill_status status = refill(f, n, err);
    if (!status && f->z.avail_in < n)
        return ends_early(f, err);
    if (!status) {
        f->z.next_in += n;
        f->z.avail_in -= (unsigned)n;
    }
    return status;
}

/* ---- going on ---- */

static mill_status out_of_zlib(int answer, mill_error *err)
{
    if (answer == Z_MEM_ERROR)
        return mill__no_memory(err, WINDOW_NBYTES, "inflating");
    return mill_fail(err, MILL_INTERNAL, "internal", "zlib says %d", answer);
}

static mill_status broken(const inflated *f, mill_error *err)
{
    const char *what = f->z.msg ? f->z.msg : "a dictionary is needed";
    bool checksum = !strcmp(what, "incorrect data check") || !strcmp(what, "incorrect length check");
    mill_fail(err, MILL_BAD_DATA, checksum ? "checksum" : "deflate", "%s: %s",
              f->is.gzip ? "the gzip data are broken" : "the compressed data are broken", what);
    return fail_at(f, err);
}

/* Behind the last member there may be zeros, as from a tape. */
static mill_status check_padding(inflated *f, mill_error *err)
{
    while (f->z.avail_in) {
        if (*f->z.next_in) {
            mill_fail(err, MILL_BAD_DATA, "trailing",
                      "bytes that are no gzip data behind the end of the gzip data");
            return fail_at(f, err);
        }
        mill_status status = skip(f, 1, err);
        if (!status)
            status = refill(f, 1, err);
        if (status)
            return status;
    }
    return MILL_OK;
}

/* A deflate stream has ended: another gzip member begins, or that was all. */
static mill_status end_stream(inflated *f, mill_error *err)
{
    mill_status status = MILL_OK;
    if (f->is.gzip && f->bare)
        status = skip(f, 8, err); /* its checksum and length, which were looked at when it was measured */
    if (!status && f->is.gzip)
        status = refill(f, 1, err);
    if (status)
        return status;
    if (!f->is.gzip || !f->z.avail_in || *f->z.next_in != 0x1f) {
        f->ended = true;
        return f->is.gzip && !f->measured ? check_padding(f, err) : MILL_OK;
    }
    f->bare = false;
    int answer = inflateReset2(&f->z, GZIP);
    return answer == Z_OK ? MILL_OK : out_of_zlib(answer, err);
}

/* Up to n bytes from where z stands; less at the end of a deflate block if by_block, and at the end. */
static mill_status go_on(inflated *f, uint8_t *data, size_t n, bool by_block, size_t *got, mill_error *err)
{
    z_stream *z = &f->z;
    unsigned wanted = n < (1u << 30) ? (unsigned)n : 1u << 30;
    z->next_out = data;
    z->avail_out = wanted;
    *got = 0;
    bool block_ends = false;
    while (z->avail_out && !f->ended && !block_ends) {
        mill_status status = z->avail_in ? MILL_OK : refill(f, 1, err);
        if (status)
            return status;
        unsigned input = z->avail_in, output = z->avail_out;
        int answer = inflate(z, by_block ? Z_BLOCK : Z_NO_FLUSH);
        f->out += output - z->avail_out;
        *got = wanted - z->avail_out;
        if (answer == Z_STREAM_END)
            status = end_stream(f, err);
        else if (answer == Z_DATA_ERROR || answer == Z_NEED_DICT)
            status = broken(f, err);
        else if (answer != Z_OK && answer != Z_BUF_ERROR)
            status = out_of_zlib(answer, err);
        else if (z->avail_in == input && z->avail_out == output && f->next == end_of(f) && !input)
            status = ends_early(f, err);
        if (status)
            return status;
        block_ends = by_block && answer == Z_OK && (z->data_type & 128);
    }
    return MILL_OK;
}

/* ---- places ---- */

/* Every second one must do. */
static void thin_out(inflated *f)
{
    int n = 0;
    for (int i = 0; i < f->nplaces; i++)
        if (i % 2)
            free(f->places[i].window);
        else
            f->places[n++] = f->places[i];
    f->nplaces = n;
    f->span *= 2;
}

/* z stands at the end of a block: remember that, if the last place is far enough away. */
static mill_status note_place(inflated *f, mill_error *err)
{
    if (f->z.data_type & 64 || f->out - f->places[f->nplaces - 1].out < f->span)
        return MILL_OK;
    if (f->nplaces == PLACES) {
        thin_out(f);
        return note_place(f, err);
    }
    place *p = &f->places[f->nplaces];
    *p = (place){.out = f->out, .in = position(f), .bits = f->z.data_type & 7};
    p->window = malloc(WINDOW_NBYTES);
    if (!p->window)
        return mill__no_memory(err, WINDOW_NBYTES, "a place in compressed data");
    f->nplaces++;
    int answer = inflateGetDictionary(&f->z, p->window, &p->window_nbytes);
    return answer == Z_OK ? MILL_OK : out_of_zlib(answer, err);
}

/* Go back to a place. The first one is the beginning. */
static mill_status go_to(inflated *f, const place *p, mill_error *err)
{
    f->bare = !f->is.gzip || p != f->places;
    f->begun = true;
    f->ended = false;
    f->out = p->out;
    f->next = p->in - (p->bits > 0);
    f->z.avail_in = 0;
    int answer = inflateReset2(&f->z, f->bare ? BARE : GZIP);
    if (answer == Z_OK && p->bits) {
        mill_status status = refill(f, 1, err);
        if (status)
            return status;
        answer = inflatePrime(&f->z, p->bits, *f->z.next_in >> (8 - p->bits));
        f->z.next_in++;
        f->z.avail_in--;
    }
    if (answer == Z_OK && p->window_nbytes)
        answer = inflateSetDictionary(&f->z, p->window, p->window_nbytes);
    return answer == Z_OK ? MILL_OK : out_of_zlib(answer, err);
}

/* ---- all of it, once ---- */

static mill_status wrong_size(const inflated *f, mill_error *err)
{
    mill_fail(err, MILL_BAD_DATA, "size", "%" PRIu64 " bytes were promised, but the compressed data hold %s",
              f->is.inflated_nbytes, f->ended ? "less" : "more");
    return fail_at(f, err);
}

/* What the zip said of bare deflate. */
static mill_status check_promises(const inflated *f, uint32_t crc, mill_error *err)
{
    if (f->is.gzip)
        return MILL_OK;
    if (f->out != f->is.inflated_nbytes)
        return wrong_size(f, err);
    if (position(f) != end_of(f)) {
        mill_fail(err, MILL_BAD_DATA, "trailing", "%" PRIu64 " bytes behind the end of the compressed data",
                  end_of(f) - position(f));
        return fail_at(f, err);
    }
    if (crc != f->is.crc) {
        mill_fail(err, MILL_BAD_DATA, "checksum", "the CRC-32 is %08" PRIx32 " instead of %08" PRIx32, crc,
                  f->is.crc);
        return fail_at(f, err);
    }
    return MILL_OK;
}

static void drop_kept(inflated *f)
{
    mill__pages_free(f->kept, f->capacity);
    f->kept = NULL;
    f->capacity = 0;
}

/* Where the next bytes go, up to *n of them. Behind those before them, as long as that is not too much. */
static uint8_t *make_room(inflated *f, size_t *n)
{
    size_t grown = f->capacity ? 2 * f->capacity : SCRAP_NBYTES;
    *n = SCRAP_NBYTES;
    if (f->out && !f->kept)
        return f->scrap;
    if (f->capacity - f->out < SCRAP_NBYTES) {
        if (grown > f->is.keep_nbytes)
            grown = (size_t)f->is.keep_nbytes;
        uint8_t *more = grown < f->out + SCRAP_NBYTES ? NULL
                        : f->kept                     ? mill__pages_resize(f->kept, f->capacity, grown)
                                                      : mill__pages_alloc(grown);
        if (!more) {
            drop_kept(f);
            return f->scrap;
        }
        f->kept = more;
        f->capacity = grown;
    }
    return f->kept + f->out;
}

static mill_status scan(inflated *f, mill_error *err)
{
    uint32_t crc = 0;
    mill_status status = go_to(f, &f->places[0], err);
    while (!status && !f->ended) {
        size_t room, got = 0;
        uint8_t *data = make_room(f, &room);
        status = go_on(f, data, room, true, &got, err);
        if (!f->is.gzip)
            crc = mill__crc32(crc, data, got);
        if (!status && !f->is.gzip && f->out > f->is.inflated_nbytes)
            return wrong_size(f, err);
        if (!status && !f->ended && f->z.data_type & 128)
            status = note_place(f, err);
    }
    return status ? status : check_promises(f, crc, err);
}

static void drop_places(inflated *f)
{
    for (int i = 0; i < f->nplaces; i++)
        free(f->places[i].window);
    f->places[0].window = NULL;
    f->nplaces = 1;
}

static mill_status measure(inflated *f, mill_error *err)
{
    if (!f->measured && !f->failed) {
        mill__error_clear(&f->why);
        f->failed = scan(f, &f->why);
        f->measured = !f->failed;
        f->nbytes = f->out;
        f->begun = false;
        if (f->failed)
            drop_kept(f);
        if (f->kept)
            drop_places(f);
    }
    if (f->failed && err)
        *err = f->why;
    return f->failed;
}

/* ---- reads ---- */

static void take_turn(inflated *f, uint64_t offset)
{
    waiting me = {.offset = offset};
    pthread_mutex_lock(&f->lock);
    waiting **at = &f->waiting;
    while (*at && (*at)->offset <= offset)
        at = &(*at)->next;
    me.next = *at;
    *at = &me;
    while (f->busy || f->waiting != &me)
        pthread_cond_wait(&f->turn, &f->lock);
    f->busy = true;
    f->waiting = me.next;
    pthread_mutex_unlock(&f->lock);
}

static void end_turn(inflated *f)
{
    pthread_mutex_lock(&f->lock);
    f->busy = false;
    pthread_cond_broadcast(&f->turn);
    pthread_mutex_unlock(&f->lock);
}

static mill_status seek(inflated *f, uint64_t offset, mill_error *err)
{
    const place *best = &f->places[0];
    for (int i = 1; i < f->nplaces; i++)
        if (f->places[i].out <= offset)
            best = &f->places[i];
    mill_status status = MILL_OK;
    if (!f->begun || f->out > offset || f->out < best->out)
        status = go_to(f, best, err);
    while (!status && !f->ended && f->out < offset) {
        size_t got = 0;
        uint64_t left = offset - f->out;
        status = go_on(f, f->scrap, left < SCRAP_NBYTES ? (size_t)left : SCRAP_NBYTES, false, &got, err);
    }
    return status;
}

static mill_status read_kept(const inflated *f, uint64_t offset, void *data, size_t n, size_t *got)
{
    uint64_t left = offset < f->nbytes ? f->nbytes - offset : 0;
    *got = n < left ? n : (size_t)left;
    if (*got)
        memcpy(data, f->kept + offset, *got);
    return MILL_OK;
}

static mill_status read_some(inflated *f, uint64_t offset, uint8_t *data, size_t n, size_t *got,
                             mill_error *err)
{
    bool within_head =
        n <= HEAD_NBYTES && offset <= HEAD_NBYTES - n && (f->is.gzip || offset + n < f->is.inflated_nbytes);
    mill_status status = within_head ? MILL_OK : measure(f, err);
    if (!status && f->measured && offset >= f->nbytes)
        return MILL_OK;
    if (!status && f->kept)
        return read_kept(f, offset, data, n, got);
    if (!status)
        status = seek(f, offset, err);
    while (!status && *got < n && !f->ended) {
        size_t more = 0;
        status = go_on(f, data + *got, n - *got, false, &more, err);
        *got += more;
    }
    if (status)
        f->begun = false;
    return status;
}

static mill_status read_inflated(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                                 mill_error *err)
{
    inflated *f = handle;
    *got = 0;
    pthread_mutex_lock(&f->lock);
    bool is_kept = !f->busy && f->measured && f->kept; /* and will be from now on */
    pthread_mutex_unlock(&f->lock);
    if (is_kept)
        return read_kept(f, offset, data, n, got);
    take_turn(f, offset);
    mill_status status = read_some(f, offset, data, n, got, err);
    end_turn(f);
    return status;
}

mill_status mill__inflate_measure(const mill__bytes *bytes, uint64_t *nbytes, mill_error *err)
{
    inflated *f = bytes->handle;
    take_turn(f, 0);
    mill_status status = measure(f, err);
    *nbytes = f->nbytes;
    end_turn(f);
    return status;
}

static void close_inflated(void *handle)
{
    inflated *f = handle;
    drop_places(f);
    drop_kept(f);
    inflateEnd(&f->z);
    pthread_cond_destroy(&f->turn);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

mill_status mill__inflate(const mill__bytes *stored, const mill__deflated *what, mill__bytes *bytes,
                          mill_error *err)
{
    inflated *f = calloc(1, sizeof *f);
    if (!f)
        return mill__no_memory(err, sizeof *f, "compressed data");
    f->stored = *stored;
    f->is = *what;
    f->span = FIRST_SPAN_NBYTES;
    f->places[0].in = what->offset;
    f->nplaces = 1;
    int answer = inflateInit2(&f->z, BARE);
    if (answer != Z_OK) {
        free(f);
        return out_of_zlib(answer, err);
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->turn, NULL);
    *bytes = (mill__bytes){.read = read_inflated, .close = close_inflated, .handle = f};
    return MILL_OK;
}
