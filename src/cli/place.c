/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"
#include "command.h"
#include "screen.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what, const char *path, int os_error)
{
    cli_warn(CLI_SAY_ERROR, "cannot %s the state \"%s\": %s", what, path, strerror(os_error));
    return CLI_SYSTEM;
}

int cli_place_load(const char *path, char state[MILL_STATE_NBYTES], bool *found)
{
    errno = 0;
    FILE *file = fopen(path, "re");
    *found = file != NULL;
    if (!file)
        return errno == ENOENT ? CLI_OK : fail("read", path, errno);
    size_t n = fread(state, 1, MILL_STATE_NBYTES, file);
    int os_error = ferror(file) ? errno : 0;
    fclose(file);
    if (os_error)
        return fail("read", path, os_error);
    if (n == MILL_STATE_NBYTES || memchr(state, 0, n)) {
        cli_warn(CLI_SAY_ERROR, "\"%s\" holds no state of a loader", path);
        return CLI_USAGE;
    }
    state[n] = 0;
    return CLI_OK;
}

static int write_all(int fd, const char *text, size_t n)
{
    while (n) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno != EINTR)
            return errno;
        text += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return fsync(fd) ? errno : 0;
}

static int sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int os_error = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return os_error == EINVAL ? 0 : os_error; /* a file system that has nothing to sync there */
}

int cli_place_save(const char *path, const char *state)
{
    size_t n = strlen(path) + 8;
    char *temporary = malloc(n), text[MILL_STATE_NBYTES + 1];
    if (!temporary)
        return fail("write", path, ENOMEM);
    snprintf(temporary, n, "%s.XXXXXX", path);
    snprintf(text, sizeof text, "%s\n", state);
    int fd = mkostemp(temporary, O_CLOEXEC), os_error = fd < 0 ? errno : 0;
    if (!os_error)
        os_error = write_all(fd, text, strlen(text));
    if (!os_error && fchmod(fd, 0644))
        os_error = errno;
    if (fd >= 0 && close(fd) && !os_error)
        os_error = errno;
    if (!os_error && rename(temporary, path))
        os_error = errno;
    if (os_error && fd >= 0)
        unlink(temporary);
    if (!os_error)
        os_error = sync_folder(path);
    free(temporary);
    return os_error ? fail("write", path, os_error) : CLI_OK;
}
