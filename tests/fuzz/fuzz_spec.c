/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_spec.c: words and braces of data-set specs. What looks at files is left out. */
#include "base/error.h"
#include "fuzz.h"
#include "source/spec.h"

static mill_status count_word(void *self, const char *word, mill_error *err)
{
    size_t *n = self;
    char *plain = strdup(word);
    PROMISE(plain);
    mill__word_has_glob(word);
    mill__word_plain(plain);
    PROMISE(strlen(plain) <= strlen(word));
    mill__buffer canonical = {0}; /* what a word means, protected and read again, means the same */
    PROMISE(!mill__word_protect(&canonical, plain) && !mill__buffer_append(&canonical, "", 1));
    mill__word_plain((char *)canonical.data);
    PROMISE(!strcmp((char *)canonical.data, plain));
    mill__buffer_free(&canonical);
    free(plain);
    return ++*n < 2000 ? MILL_OK : mill_fail(err, MILL_LIMIT, "limit", "enough");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    char *text = fuzz_text(data, nbytes);
    const char *at = text;
    mill__buffer word = {0};
    mill_error err;
    for (;;) {
        mill__error_clear(&err);
        const char *before = at;
        mill_status status = mill__word_next(&at, nbytes % 2, &word, &err);
        PROMISE(!status || (err.kind[0] && err.message[0]));
        if (status || !word.nbytes || !word.data[0])
            break;
        PROMISE(at > before);
        size_t n = 0;
        status = mill__braces_expand((char *)word.data, count_word, &n, &err);
        PROMISE(!status || (err.kind[0] && err.message[0]));
    }
    mill__buffer_free(&word);
    free(text);
    return 0;
}
