/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "format/format.h"

mill_status mill__not_indexed(const mill__window *window, mill_error *err)
{
    mill_fail(
        err, MILL_BAD_DATA, "index",
        "the %zu bytes at this offset are not the sample that the index says; the shard has changed, or the "
        "index is another's",
        window->nbytes);
    mill__error_where(err, NULL, NULL, window->offset);
    return MILL_BAD_DATA;
}
