/* SPDX-License-Identifier: Apache-2.0 */
/* engine/index_file.c: indexes on disk. Ours is a text of this form, believed only if size and time are the
 * shard's and the checksum (XXH3 of all before it) is right:
 *
 *   shardmill-index 1
 *   shard NBYTES MTIME_NS SAMPLES
 *   OFFSET NBYTES          (one line a sample)
 *   xxh3 HEX
 */
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/index.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DALI_BLOCK = 512, DALI_RECORD = 20 * DALI_BLOCK }; /* of tar */

static const size_t most_nbytes = (size_t)4 << 30; /* of an index file */

/* ---- paths ---- */

static char *join(const char *folder, const char *name, const char *extension)
{
    size_t n = strlen(folder) + strlen(name) + strlen(extension) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s%s%s%s", folder, *folder ? "/" : "", name, extension);
    return path;
}

char *mill__index_path(const mill__index_keep *keep, const char *locator, bool beside)
{
    if (beside)
        return join("", locator, ".index");
    const char *folder = keep->place == MILL__INDEX_FOLDER ? keep->folder : keep->cache;
    char *absolute = realpath(locator, NULL), name[32];
    const char *key = absolute ? absolute : locator;
    snprintf(name, sizeof name, "%016" PRIx64, mill__hash_bytes(key, strlen(key)));
    free(absolute);
    return folder ? join(folder, name, ".index") : NULL;
}

/* As wds2idx names it: train-000.tar has train-000.idx. */
char *mill__index_dali_path(const char *folder, const char *locator)
{
    const char *slash = strrchr(locator, '/'), *name = slash ? slash + 1 : locator;
    const char *dot = *name ? strchr(name + 1, '.') : NULL;
    const char *from = folder ? name : locator;
    char *stem = strndup(from, dot ? (size_t)(dot - from) : strlen(from));
    char *path = stem ? join(folder ? folder : "", stem, ".idx") : NULL;
    free(stem);
    return path;
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777); /* what does not work shows when the file is made */
        *slash = '/';
    }
}

/* ---- whole files ---- */

static bool read_file(const char *path, mill__buffer *text, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe would wait for its writer */
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (fd >= 0 && !f)
        close(fd);
    bool good = f && !fstat(fileno(f), st) && S_ISREG(st->st_mode) && (uint64_t)st->st_size < most_nbytes &&
                !mill__buffer_reserve(text, (size_t)st->st_size + 1);
    if (good) {
        text->nbytes = fread(text->data, 1, (size_t)st->st_size, f);
        text->data[text->nbytes] = 0;
        good = text->nbytes == (size_t)st->st_size && !memchr(text->data, 0, text->nbytes);
    }
    if (f)
        fclose(f);
    return good;
}

static mill_status write_file(const char *path, const mill__buffer *text, mill_error *err)
{
    char *temporary = join("", path, ".XXXXXX");
    if (!temporary)
        return mill__no_memory(err, strlen(path), "a path");
    make_folders(temporary);
    int fd = mkstemp(temporary), os_error = fd < 0 ? errno : 0;
    for (size_t done = 0; !os_error && done < text->nbytes;) {
        ssize_t n = write(fd, text->data + done, text->nbytes - done);
        if (n < 0 && errno != EINTR)
            os_error = errno;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0) {
        if (!os_error && fchmod(fd, 0644))
            os_error = errno;
        if (close(fd) && !os_error)
            os_error = errno;
        if (!os_error && rename(temporary, path))
            os_error = errno;
        if (os_error)
            unlink(temporary);
    }
    free(temporary);
    return os_error ? mill__fail_os(err, os_error, "cannot write the index \"%s\"", path) : MILL_OK;
}

/* ---- our own ---- */

static bool number(const char **at, uint64_t *value)
{
    if (**at < '0' || **at > '9')
        return false;
    char *end;
    errno = 0;
    *value = strtoull(*at, &end, 10);
    *at = end;
    return !errno;
}

static bool literal(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool next_extent(const char **at, mill__extent *e)
{
    return number(at, &e->offset) && literal(at, " ") && number(at, &e->nbytes) && literal(at, "\n");
}

/* Extents lie one behind the other and within the shard. */
static bool follows(const mill__extent *e, uint64_t from, uint64_t shard_nbytes)
{
    return e->offset >= from && e->offset <= shard_nbytes && e->nbytes <= shard_nbytes - e->offset;
}

/* A line of an index has at least four bytes: a count beyond that is a lie, and no reason for a large array.
 */
static bool parse(mill__index *index, const char *at, size_t nbytes, const mill_shard_info *info)
{
    uint64_t mtime, n;
    if (!literal(&at, "shardmill-index 1\nshard ") || !number(&at, &index->nbytes) || !literal(&at, " ") ||
        !number(&at, &mtime) || !literal(&at, " ") || !number(&at, &n) || !literal(&at, "\n"))
        return false;
    index->mtime_ns = (int64_t)mtime;
    if (index->nbytes != info->nbytes || index->mtime_ns != info->mtime_ns || n > nbytes / 4)
        return false;
    mill__extent *list = index->extents.extents = malloc((size_t)(n + 1) * sizeof *list);
    for (uint64_t i = 0, end = 0; list && i < n; i++) {
        if (!next_extent(&at, &list[i]) || !follows(&list[i], end, info->nbytes))
            return false;
        end = list[i].offset + list[i].nbytes;
    }
    index->extents.n = (size_t)n;
    return list && literal(&at, "xxh3 ");
}

static bool checksum_is_right(const mill__buffer *text)
{
    const char *all = (const char *)text->data;
    const char *last = text->nbytes > 22 ? all + text->nbytes - 22 : all;
    char *end;
    return !strncmp(last, "xxh3 ", 5) &&
           strtoull(last + 5, &end, 16) == mill__hash_bytes(all, (size_t)(last - all)) && !strcmp(end, "\n");
}

mill_status mill__index_load(mill__index *index, const char *path, const mill_shard_info *info)
{
    mill__buffer text = {0};
    struct stat st;
    bool good = read_file(path, &text, &st) && checksum_is_right(&text) &&
                parse(index, (const char *)text.data, text.nbytes, info);
    mill__buffer_free(&text);
    if (!good)
        mill__index_free(index);
    return good ? MILL_OK : MILL_END;
}

mill_status mill__index_save(const mill__index *index, const char *path, mill_error *err)
{
    mill__buffer text = {0};
    int failed = mill__buffer_printf(&text, "shardmill-index 1\nshard %" PRIu64 " %" PRId64 " %zu\n",
                                     index->nbytes, index->mtime_ns, index->extents.n);
    for (size_t i = 0; i < index->extents.n && !failed; i++) {
        mill__extent e = mill__index_extent(index, i);
        failed = mill__buffer_printf(&text, "%" PRIu64 " %" PRIu64 "\n", e.offset, e.nbytes);
    }
    failed = failed ||
             mill__buffer_printf(&text, "xxh3 %016" PRIx64 "\n", mill__hash_bytes(text.data, text.nbytes));
    mill_status status =
        failed ? mill__no_memory(err, text.capacity, "an index") : write_file(path, &text, err);
    mill__buffer_free(&text);
    return status;
}

/* ---- DALI's ---- */

/* How far the data of a sample's files reach, and its key, if the lines have names. */
typedef struct dali_sample {
    uint64_t end;
    char key[1024];
} dali_sample;

/* One file: its data lie behind those of the one before, on a block of their own behind a header. */
static bool take_dali_file(dali_sample *s, const char *offset, const char *size)
{
    uint64_t o, n;
    if (!number(&offset, &o) || *offset || !number(&size, &n) || *size || n > UINT64_MAX / 4 ||
        o > UINT64_MAX / 4 || o % DALI_BLOCK || o < s->end + DALI_BLOCK)
        return false;
    s->end = (o + n + DALI_BLOCK - 1) / DALI_BLOCK * DALI_BLOCK;
    return true;
}

/* The files of a sample share a key, and the sample before has another. */
static bool take_dali_name(dali_sample *s, const char *name, bool first)
{
    const char *slash = strrchr(name, '/'), *dot = strchr(slash ? slash : name, '.');
    size_t n = dot ? (size_t)(dot - name) : strlen(name);
    bool same = n == strlen(s->key) && !memcmp(name, s->key, n);
    if (n >= sizeof s->key || same == first)
        return false;
    memcpy(s->key, name, n);
    s->key[n] = 0;
    return true;
}

/* "ext offset size [name]" again and again to the end of the line. */
static bool take_dali_line(dali_sample *s, char *line, bool names)
{
    char *rest = NULL, *first = strtok_r(line, " ", &rest);
    for (char *word = first; word; word = strtok_r(NULL, " ", &rest)) {
        const char *offset = strtok_r(NULL, " ", &rest), *size = offset ? strtok_r(NULL, " ", &rest) : NULL;
        if (!size || !take_dali_file(s, offset, size))
            return false;
        const char *name = names ? strtok_r(NULL, " ", &rest) : NULL;
        if (names && (!name || !take_dali_name(s, name, word == first)))
            return false;
    }
    return first != NULL;
}

/* Where the last sample ends there is nothing but the archive's end: zeros that fill up a record. */
static bool ends_near(uint64_t end, uint64_t shard_nbytes)
{
    return end >= shard_nbytes || shard_nbytes - end <= 2 * (uint64_t)DALI_BLOCK + DALI_RECORD;
}

static bool parse_dali(mill__index *index, char *text, size_t nbytes, const mill_shard_info *info)
{
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    bool names = line && !strncmp(line, "v1.2 ", 5);
    uint64_t n;
    const char *count = line ? line + 5 : "";
    if (!line || (!names && strncmp(line, "v1.1 ", 5) != 0) || !number(&count, &n) || *count ||
        n > nbytes / 4)
        return false;
    mill__extent *list = index->extents.extents = malloc((size_t)(n + 1) * sizeof *list);
    dali_sample sample = {.key = "/"}; /* no file's */
    for (uint64_t i = 0; list && i < n; i++) {
        uint64_t begin = sample.end;
        line = strtok_r(NULL, "\n", &rest);
        if (!line || !take_dali_line(&sample, line, names) ||
            sample.end - begin > info->nbytes - begin + DALI_BLOCK - 1)
            return false;
        uint64_t end =
            sample.end < info->nbytes ? sample.end : info->nbytes; /* a last member without padding */
        list[i] = (mill__extent){.offset = begin, .nbytes = end - begin};
        if (end <= begin)
            return false;
    }
    index->extents.n = (size_t)n;
    index->nbytes = info->nbytes;
    index->mtime_ns = info->mtime_ns;
    return list && !strtok_r(NULL, "\n", &rest) && ends_near(sample.end, info->nbytes);
}

mill_status mill__index_load_dali(mill__index *index, const char *path, const mill_shard_info *info)
{
    mill__buffer text = {0};
    struct stat st;
    bool good = read_file(path, &text, &st) &&
                (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec >= info->mtime_ns &&
                parse_dali(index, (char *)text.data, text.nbytes, info);
    mill__buffer_free(&text);
    if (!good)
        mill__index_free(index);
    return good ? MILL_OK : MILL_END;
}

typedef struct dali_lines {
    mill__buffer text;
    size_t n;
} dali_lines;

static mill_status dali_line(void *self, const mill__sample *sample, mill_error *err)
{
    dali_lines *d = self;
    if (sample->status || !sample->nfields)
        return mill_fail(err, MILL_UNSUPPORTED, "index",
                         "sample \"%s\" is bad; DALI's index has no way to say so", sample->key);
    for (int i = 0; i < sample->nfields; i++) {
        const mill__field *f = &sample->fields[i];
        if (strpbrk(sample->key, " \n") || !f->name_nbytes || memchr(f->name, ' ', f->name_nbytes) ||
            memchr(f->name, '\n', f->name_nbytes))
            return mill_fail(
                err, MILL_UNSUPPORTED, "index",
                "member \"%s.%.*s\" has a blank in its name, or no extension; DALI's index has no way "
                "to say so",
                sample->key, (int)f->name_nbytes, f->name);
        if (mill__buffer_printf(&d->text, "%s%.*s %" PRIu64 " %zu %s.%.*s", i ? " " : "", (int)f->name_nbytes,
                                f->name, f->offset, f->nbytes, sample->key, (int)f->name_nbytes, f->name))
            return mill__no_memory(err, d->text.capacity, "an index");
    }
    d->n++;
    return mill__buffer_append(&d->text, "\n", 1) ? mill__no_memory(err, d->text.capacity, "an index")
                                                  : MILL_OK;
}

mill_status mill__index_save_dali(const mill__indexed *shard, const char *path, mill_error *err)
{
    dali_lines d = {0};
    mill__index index = {0};
    mill__buffer whole = {0};
    mill_status status = mill__index_walk(&index, shard, dali_line, &d, err);
    for (size_t i = 0; i < index.nissues && !status; i++)
        if (index.issues[i].severity == MILL_ERROR)
            status = mill_fail(err, MILL_BAD_DATA, index.issues[i].kind, "%s", index.issues[i].reason);
    if (!status && (mill__buffer_printf(&whole, "v1.2 %zu\n", d.n) ||
                    mill__buffer_append(&whole, d.text.data, d.text.nbytes)))
        status = mill__no_memory(err, d.text.nbytes, "an index");
    if (!status)
        status = write_file(path, &whole, err);
    mill__buffer_free(&whole);
    mill__buffer_free(&d.text);
    mill__index_free(&index);
    return status;
}
