/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_walk.h"
#include "registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    mill_type type;
    mill_error err;
    uint8_t *copy = fuzz_copy(data, nbytes);
    const mill__window head = {copy, nbytes < 65536 ? nbytes : 65536, 0, nbytes <= 65536};
    if (mill__format_npy.peek(&mill__format_npy, &(mill_shard_info){0}, &head, &type, &err) == MILL_OK)
        for (int i = 0; i < type.rank; i++)
            PROMISE(type.rank <= MILL_MAX_RANK && type.shape[i] >= 0);
    free(copy);
    fuzz_format(&mill__format_npy, data, nbytes);
    return 0;
}
