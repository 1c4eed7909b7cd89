#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --trace: JSON in the trace event format; every kind of work on its named thread; the spans of a thread nest.
set -eu
[ -x "${MILL:-}" ] || { echo "skip: no command"; exit 77; }
"$PYTHON" -c 'import json' 2>/dev/null || { echo "skip: no Python"; exit 77; }
cat >check.py <<'END'
import json, sys

with open(sys.argv[1]) as f:
    events = json.load(f)["traceEvents"]
spans = [e for e in events if e["ph"] == "X"]
names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
counters = {e["name"] for e in events if e["ph"] == "C"}
kinds = {e["name"] for e in spans}

missing = {"open", "read", "walk", "transform", "write", "finish"} - kinds
assert not missing, f"no {missing}"
assert {"input bytes", "batches waiting"} <= counters, counters
waited = [e for e in spans if e["name"] == "read" and not e["args"].get("cached")]
assert not waited or "reads in flight" in counters, counters
assert waited or sys.argv[4] == "auto", "no read on an I/O thread"
for e in spans:
    assert e["dur"] >= 0 and e["ts"] >= 0, e
    assert e["tid"] in names, f"a span on a thread without a name: {e}"
    on = names[e["tid"]]
    if e["name"] in ("walk", "transform"):
        assert on.startswith("compute"), f"{e['name']} on {on}"
    elif e["name"] == "read" and e["args"].get("cached"):
        assert on.startswith("compute"), f"{e['name']} from the page cache on {on}"
    elif e["name"] in ("read", "open"):
        assert on.startswith("mill-"), f"{e['name']} on {on}"
    else:
        assert on == "main", f"{e['name']} on {on}"
samples = sum(e["args"]["samples"] for e in spans if e["name"] == "transform")
assert samples == int(sys.argv[2]), samples
assert sum(e["args"]["samples"] for e in spans if e["name"] == "walk") == samples
assert sum(e["args"]["nbytes"] for e in spans if e["name"] == "read") == int(sys.argv[3])
last = [e["args"]["value"] for e in events if e["ph"] == "C" and e["name"] == "reads in flight"][-1:]
assert last in ([0], []), f"{last} reads in flight at the end"

for tid in names:
    open_spans = []  # ends of the spans we are in
    for e in sorted((e for e in spans if e["tid"] == tid), key=lambda e: (e["ts"], -e["dur"])):
        begin, end = round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)
        while open_spans and open_spans[-1] <= begin:
            open_spans.pop()
        assert not open_spans or end <= open_spans[-1] + 2, f"spans overlap on {names[tid]}: {e}"
        open_spans.append(end)
END

# 6 shards of 40 x 3 numbers
"$PYTHON" - <<'END'
import struct
for i in range(6):
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (40, 3), }"
    head += b" " * (117 - len(head)) + b"\n"
    with open(f"s{i}.npy", "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head + struct.pack("<120f", *range(120)))
END
nbytes=$(cat s?.npy | wc -c)
for executor in tasks loop; do
    for io in threads uring auto; do
        "$MILL" run 's?.npy' --pipe 'add 1' --out "out-$executor-$io" --as npy --threads 2 --io $io --executor $executor \
            --trace "$executor-$io.json" >log 2>&1 || {
            grep -q -i "io_uring cannot" log && { echo "no io_uring here"; continue; }
            cat log
            exit 1
        }
        "$PYTHON" check.py "$executor-$io.json" 240 "$nbytes" $io
    done
done
"$MILL" run 's?.npy' --pipe 'add 1' --out plain --as npy >/dev/null
[ "$(find . -name '*.json' ! -name manifest.json | wc -l)" -le 6 ] || { echo "a trace that nobody wanted"; exit 1; }
