/* SPDX-License-Identifier: Apache-2.0 */
/* cli/digest.h: a checksum over batches, by which two runs can be compared. A batch's is the XXH64 (seed 0)
 * of
 *
 *   its tensor, label, mask, shard and sample ordinals, label_b and lambda if rows are mixed (each dense, in
 * the machine's byte order), then for each row its key with a zero byte behind it and, for each field that is
 * brought along, its length as an i64
 * (-1: the sample has none) and its bytes.
 *
 * A run's is the XXH64 of the batches' digests, each as eight bytes, the highest first. */
#ifndef MILL_CLI_DIGEST_H
#define MILL_CLI_DIGEST_H

#include <shardmill/loader.h>
#include <stdbool.h>

typedef struct cli_xxh64 {
    uint64_t lanes[4], nbytes;
    unsigned char rest[32]; /* what does not fill a stripe yet */
} cli_xxh64;

void cli_xxh64_begin(cli_xxh64 *hash);
void cli_xxh64_add(cli_xxh64 *hash, const void *data, size_t nbytes);
uint64_t cli_xxh64_end(const cli_xxh64 *hash);

typedef struct cli_digest {
    cli_xxh64 all;
    int64_t batches;
} cli_digest;

void cli_digest_begin(cli_digest *digest);
/* fields: blank-separated, as in mill_loader_options. Answers the batch's own. */
uint64_t cli_digest_add(cli_digest *digest, const mill_batch *batch, const char *fields);
uint64_t cli_digest_end(const cli_digest *digest);

#endif
