#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A disk that is full: a real one (a small tmpfs) where this may be mounted, and a limit on the size of files. The error
# names the file, nothing half bears a final name, and with room again the run ends as if nothing had been.
. "$SRC/tests/cli/common.sh"
arrays in 6 4000
P='scale 0.5 | add 1'
expect 0 "$MILL" run in --pipe "$P" --out whole

whole_files() { # FOLDER: what has its final name is whole
    for file in "$1"/*.npy "$1"/*.txt; do
        [ ! -e "$file" ] || cmp -s "$file" "whole/${file##*/}" || fail "$file is not whole"
    done
    [ -z "$(find "$1" -name '*.partial')" ] || fail "leftovers: $(ls "$1")"
}

# A limit stands in for a full disk: 200 blocks of 1024 bytes, and a shard has 1000. The signal that tells of it is ignored,
# as a shell's children inherit.
expect 3 bash -c 'trap "" XFSZ; ulimit -f 200; exec "$@"' bash "$MILL" run in --pipe "$P" --out limited
says stderr 'limited/part-00'
says stderr 'File too large'
whole_files limited
expect 0 "$MILL" run in --pipe "$P" --out limited
diff -r whole limited >difference || fail "after the limit: $(head -3 difference)"

if mkdir small && mount -t tmpfs -o size=3m shardmill small 2>mount-error; then
    trap 'umount small' EXIT
    expect 3 "$MILL" run in --pipe "$P" --out small/out
    says stderr 'small/out/part-00'
    says stderr 'No space left on device'
    whole_files small/out
    [ "$(ls small/out/*.data.npy | wc -l)" -ge 1 ] || fail 'not one shard was finished'
    mount -o remount,size=30m small
    expect 0 "$MILL" run in --pipe "$P" --out small/out --json
    json_holds stdout 'total["shards_kept"] >= 1 and total["shards_done"] == 6'
    diff -r whole small/out >difference || fail "on the disk with room: $(head -3 difference)"
    # full before the first byte
    rm -rf small/out
    head -c 40000000 /dev/zero >small/fill 2>/dev/null
    expect 3 "$MILL" run in --pipe "$P" --out small/out
    says stderr 'No space left on device'
else
    echo "not mounted, so only the limit was tried: $(cat mount-error)"
fi

# A folder in which nothing may be written. (root may write anywhere, but not on a read-only mount.)
mkdir -p closed
if [ "$(id -u)" != 0 ]; then
    chmod 555 closed
    expect 3 "$MILL" run in --pipe "$P" --out closed
    says stderr 'closed'
    says stderr 'Permission denied'
elif mount -t tmpfs -o ro shardmill closed 2>mount-error; then
    expect 3 "$MILL" run in --pipe "$P" --out closed
    says stderr 'closed/'
    says stderr 'Read-only file system'
    expect 3 "$MILL" run in --pipe "$P" --out closed/deep
    umount closed
fi
expect 3 "$MILL" run in --pipe "$P" --out in/part-000.npy/out
says stderr 'in/part-000.npy'
finish
