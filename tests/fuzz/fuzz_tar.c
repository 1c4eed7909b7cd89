/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_walk.h"
#include "registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fuzz_format(&mill__format_tar, data, nbytes);
    return 0;
}
