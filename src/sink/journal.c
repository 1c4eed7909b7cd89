/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/journal.h"
#include "base/error.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "manifest.journal"

struct mill__journal {
    int fd;
    bool published;
    uint64_t nbytes;
    mill__buffer line;
    char *path, *partial;
};

mill_status mill__journal_create(mill__journal **j, const char *folder, mill_error *err)
{
    mill__journal *created = calloc(1, sizeof *created);
    if (!created)
        return mill__no_memory(err, sizeof *created, "the journal");
    created->fd = -1;
    if (asprintf(&created->path, "%s/" FILE_NAME, folder) < 0)
        created->path = NULL;
    if (asprintf(&created->partial, "%s/" FILE_NAME ".partial", folder) < 0)
        created->partial = NULL;
    mill_status status = MILL_OK;
    if (!created->path || !created->partial)
        status = mill__no_memory(err, strlen(folder), "the journal");
    while (!status && created->fd < 0) {
        created->fd = open(created->partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (created->fd < 0 && errno != EINTR)
            status = mill__fail_os(err, errno, "cannot create \"%s\"", created->partial);
    }
    if (status)
        mill__journal_close(created, true);
    else
        *j = created;
    return status;
}

mill_status mill__journal_append(mill__journal *j, const char *text, mill__line *where, mill_error *err)
{
    j->line.nbytes = 0;
    size_t n = strlen(text);
    if (mill__buffer_append(&j->line, text, n) || mill__buffer_append(&j->line, "\n", 1))
        return mill__no_memory(err, n, "a line of the journal");
    for (size_t done = 0; done < n + 1;) {
        ssize_t written = pwrite(j->fd, j->line.data + done, n + 1 - done, (off_t)(j->nbytes + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return mill__fail_os(err, written ? errno : EIO, "cannot write %zu bytes to \"%s\"", n + 1 - done,
                                 j->published ? j->path : j->partial);
        done += (size_t)written;
    }
    if (where)
        *where = (mill__line){.offset = j->nbytes, .nbytes = n};
    j->nbytes += n + 1;
    return MILL_OK;
}

mill_status mill__journal_sync(mill__journal *j, mill_error *err)
{
    while (fdatasync(j->fd))
        if (errno != EINTR)
            return mill__fail_os(err, errno, "cannot sync \"%s\"", j->published ? j->path : j->partial);
    return MILL_OK;
}

mill_status mill__journal_publish(mill__journal *j, mill_error *err)
{
    mill_status status = mill__journal_sync(j, err);
    if (!status && rename(j->partial, j->path))
        status = mill__fail_os(err, errno, "cannot rename \"%s\" to \"%s\"", j->partial, j->path);
    j->published = !status;
    return status;
}

char *mill__journal_read(const mill__journal *j, mill__line line)
{
    char *text = line.nbytes < SIZE_MAX ? malloc(line.nbytes + 1) : NULL;
    for (size_t done = 0; text && done < line.nbytes;) {
        ssize_t n = pread(j->fd, text + done, line.nbytes - done, (off_t)(line.offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(text);
            return NULL;
        }
        done += (size_t)n;
    }
    if (text)
        text[line.nbytes] = 0;
    return text;
}

void mill__journal_close(mill__journal *j, bool remove)
{
    if (!j)
        return;
    if (j->fd >= 0) {
        close(j->fd);
        if (!j->published && j->partial)
            unlink(j->partial);
        else if (remove && j->path)
            unlink(j->path);
    }
    mill__buffer_free(&j->line);
    free(j->path);
    free(j->partial);
    free(j);
}

/* ---- an earlier run's ---- */

mill_status mill__journal_replay(const char *folder, bool (*visit)(void *self, char *line), void *self,
                                 mill_error *err)
{
    char *path, *line = NULL;
    size_t capacity = 0;
    if (asprintf(&path, "%s/" FILE_NAME, folder) < 0)
        return mill__no_memory(err, strlen(folder), "the journal");
    FILE *file = fopen(path, "re");
    mill_status status =
        file || errno == ENOENT ? MILL_OK : mill__fail_os(err, errno, "cannot open \"%s\"", path);
    errno = 0;
    for (ssize_t n; file && (n = getline(&line, &capacity, file)) > 0 && line[n - 1] == '\n'; errno = 0) {
        line[n - 1] = 0;
        if ((size_t)n - 1 != strlen(line) || !visit(self, line))
            break;
    }
    if (file && ferror(file))
        status = mill__fail_os(err, errno ? errno : EIO, "cannot read \"%s\"", path);
    if (file)
        fclose(file);
    free(line);
    free(path);
    return status;
}
