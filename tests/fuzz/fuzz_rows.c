/* SPDX-License-Identifier: Apache-2.0 */
/* Shards of rows with hardly a header: idx, raw, cifar, tokens. The first byte says as what the rest is read.
 */
#include "api/options.h"
#include "fuzz_walk.h"
#include "registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static const char *const names[] = {"idx", "raw:f32:5:skip=7", "cifar", "tokens:T=7:stride=8",
                                        "tokens:T=7:stride=8:dtype=u16"};
    mill__format_ops format;
    mill_type type;
    mill_error err;
    if (!nbytes)
        return 0;
    PROMISE(!mill__format_parse(names[data[0] % 5], &format, &err));
    uint8_t *copy = fuzz_copy(data + 1, nbytes - 1);
    const mill__window head = {copy, nbytes - 1 < 65536 ? nbytes - 1 : 65536, 0, nbytes - 1 <= 65536};
    if (format.peek(&format, &(mill_shard_info){0}, &head, &type, &err) == MILL_OK)
        for (int i = 0; i < type.rank; i++)
            PROMISE(type.rank <= MILL_MAX_RANK && type.shape[i] >= 0);
    free(copy);
    fuzz_format(&format, data + 1, nbytes - 1);
    return 0;
}
