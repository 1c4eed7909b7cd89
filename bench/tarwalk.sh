#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tar walk, shard in memory, on one core: members a second over 200,000; beside it Python's tarfile on the same
# file. Environment: BUILD, PYTHON (see the Makefile).
set -eu
BUILD=${BUILD:?}
python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
shard=$folder/shard.tar

one_core() { if command -v taskset >/dev/null; then taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')" "$@"; else "$@"; fi; }

"$BUILD/bench/tarwalk" --make "$shard" 20000
line=$(one_core "$BUILD/bench/tarwalk" "$shard")
echo "shardmill: $line"
rate=$(echo "$line" | sed 's/.*: \([0-9]*\) members.*/\1/')
if command -v "$python" >/dev/null; then
    one_core "$python" - "$shard" "$rate" <<'END'
import io, sys, tarfile, time
data = open(sys.argv[1], "rb").read()
best = 0
for _ in range(3):
    begin = time.perf_counter()
    members = sum(1 for _ in tarfile.open(fileobj=io.BytesIO(data)))
    best = max(best, members / (time.perf_counter() - begin))
print(f"Python tarfile: {members} members: {best:.0f} members/s; shardmill is {float(sys.argv[2]) / best:.1f} times as fast")
END
fi
awk -v rate="$rate" 'BEGIN { printf "tarwalk ratio=%.3f target=1.0\n", rate / 200000 }'
