#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/npyload.sh: `make bench-npyload`: batches of .npy shards that lie in the page cache, over memcpy() of as many
# bytes by as many threads (2).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$BUILD/bench/npyload" "$folder" "${ROUNDS:-9}"
