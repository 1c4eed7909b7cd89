/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_manifest.c: a manifest that lies in the output folder is understood or refused, and a shard's entry
 * that is understood is written as it was read. */
#include "base/error.h"
#include "fuzz.h"
#include "sink/manifest_json.h"
#include <unistd.h>

static char fuzz_folder[128];

static void remove_folder(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/manifest.json", fuzz_folder);
    unlink(path);
    rmdir(fuzz_folder);
}

/* What a run does with a shard that is finished. */
static void take_over(mill__manifest *manifest)
{
    mill__manifest_entry entry = {0};
    if (mill__manifest_finished(manifest, "a", "a.tar", 10240, 0))
        mill__manifest_keep(manifest, 0, "a", &entry, NULL);
    mill__manifest_entry_free(&entry);
    mill__manifest_close(manifest);
}

static void open_manifest(const uint8_t *data, size_t nbytes)
{
    static const char *const settings[] = {"spec", "a.tar", "pipeline", "decode", "seed", "0", NULL};
    char path[160];
    if (!fuzz_folder[0]) {
        snprintf(fuzz_folder, sizeof fuzz_folder, "%s/shardmill-fuzz-XXXXXX",
                 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        PROMISE(mkdtemp(fuzz_folder));
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/manifest.json", fuzz_folder);
    FILE *f = fopen(path, "wb");
    PROMISE(f && fwrite(data, 1, nbytes, f) == nbytes && !fclose(f));
    mill__manifest *manifest = NULL;
    mill_error err;
    mill__error_clear(&err);
    mill_status status = mill__manifest_open(&manifest, fuzz_folder, settings, &err);
    PROMISE(!status || (err.kind[0] && err.message[0]));
    if (!status)
        take_over(manifest);
}

static void parse_entry(const uint8_t *data, size_t nbytes)
{
    char *copy = (char *)fuzz_copy(data, nbytes);
    mill__manifest_entry entry = {0}, again = {0};
    if (mill__manifest_parse((mill__json_piece){copy, nbytes}, &entry)) {
        char *first = mill__manifest_text(&entry.shard);
        PROMISE(first && mill__manifest_parse((mill__json_piece){first, strlen(first)}, &again));
        char *second = mill__manifest_text(&again.shard);
        PROMISE(second && !strcmp(first, second));
        free(first);
        free(second);
        mill__manifest_entry_free(&again);
        mill__manifest_entry_free(&entry);
    }
    free(copy);
}

static void compare_settings(const uint8_t *data, size_t nbytes)
{
    size_t half = nbytes / 2;
    char *then = (char *)fuzz_copy(data, half), *now = (char *)fuzz_copy(data + half, nbytes - half);
    mill__difference difference;
    mill__settings_compare((mill__json_piece){then, half}, (mill__json_piece){now, nbytes - half},
                           &difference);
    free(then);
    free(now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    open_manifest(data, nbytes);
    parse_entry(data, nbytes);
    compare_settings(data, nbytes);
    return 0;
}
