#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hostile and odd shards, by the command: inspect says of each what it must, run with --on-error skip gets
# through each, and nothing crashes or hangs.
set -eu
export PYTHONUTF8=1
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "skip: no $python"; exit 77; }

"$python" "$SRC/tests/gen_bad.py" bad
cat >check.py <<'END'
import json, os, shutil, subprocess, sys
from collections import Counter

mill, folder, mode = os.environ["MILL"], sys.argv[1], sys.argv[2]
failures = 0
with open(os.path.join(os.environ["SRC"], "docs", "formats.md"), encoding="utf-8") as file:
    documented = file.read()


def fail(path, *what):
    global failures
    failures += 1
    print("FAIL:", path, *what)


def call(path, *arguments):
    """exit code and JSON rows; a crash or a hang is a failure by itself"""
    try:
        done = subprocess.run([mill, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    except subprocess.TimeoutExpired:
        fail(path, arguments[0], "hangs")
        return None, []
    if done.returncode < 0 or done.returncode >= 128 or done.returncode == 3:
        fail(path, arguments[0], "exit", done.returncode, done.stderr[-2000:].decode(errors="replace"))
        return None, []
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def inspect(path, spec):
    code, rows = call(path, "inspect", spec, "--deep", "--json")
    if code is None:
        return None
    issues = [row for row in rows if row["type"] == "issue"]
    if code != (1 if issues else 0):
        fail(path, "inspect: exit", code, "with", len(issues), "findings")
    for row in issues:
        if not row["kind"] or not row["reason"] or "\n" in row["reason"]:
            fail(path, "a finding without kind or reason:", row)
        if "`%s`" % row["kind"] not in documented:
            fail(path, "a kind that docs/formats.md does not name:", row)
    shards = [row for row in rows if row["type"] == "shard"]
    for row in shards:
        unreadable = any(issue["sample"] is None and not issue["key"] for issue in issues)
        if row["nbytes_walked"] != row["nbytes"] and not unreadable:
            fail(path, "walked", row["nbytes_walked"], "of", row["nbytes"], "bytes without a word")
    return issues, shards


def run(path, spec, good, pipe):
    out = "out"
    shutil.rmtree(out, ignore_errors=True)
    code, rows = call(path, "run", spec, "--pipe", pipe, "--out", out, "--as", "npy", "--on-error", "skip", "--json")
    if code is None:
        return
    total = rows[-1] if rows else {}
    if code == 0 and total.get("samples") != total.get("written", 0) + total.get("skipped", 0):
        fail(path, "run: samples do not add up:", total)
    if code == 0 and good is not None and total.get("written") != good:
        fail(path, "run: wrote", total.get("written"), "samples instead of", good)
    if code != 0 and good:
        fail(path, "run: exit", code, "and", good, "good samples lost:", total)


def ours(path, good, findings):
    spec = os.path.join(folder, path)
    found = inspect(path, spec)
    if found is None:
        return
    issues, shards = found
    seen = {("E:" if row["severity"] == "error" else "W:") + row["kind"] for row in issues}
    wanted = set() if findings == "-" else set(findings.split())
    must, may = {w for w in wanted if w[-1] != "?"}, {w.rstrip("?") for w in wanted}
    if not must <= seen <= may:
        fail(path, "found", sorted(seen), "instead of", sorted(wanted))
    delivered = shards[0]["samples"] - shards[0]["bad_samples"] if shards else 0
    if delivered != int(good):
        fail(path, delivered, "good samples instead of", good)
    if path.startswith(("npy/", "packed/")) and ".tar" not in path:
        run(path, spec, int(good) if int(good) else None, "cast f32")
    else:
        run(path, spec, None, "decode | resize 8x8")


def theirs(path, expected):
    """the generator that lies beside the project: its words are ok, warn, error, limit"""
    spec = os.path.join(folder, path)
    kind = path.split("/")[0]
    if kind not in ("tar", "npy", "jpeg") or (kind == "npy") != path.endswith(".npy"):
        return
    if kind == "jpeg":  # each in a folder of its own
        os.makedirs("one", exist_ok=True)
        shutil.copy(spec, "one/it.jpg")
        spec = "one"
    found = inspect(path, spec)
    if found is None:
        return
    # its pictures in tar shards are none
    issues = [row for row in found[0] if kind != "tar" or row["kind"] not in ("decode", "field")]
    errors = [row for row in issues if row["severity"] == "error"]
    # what is sound, and known to be refused: docs/formats.md
    refused = path in ("npy/scalar.npy",)
    if expected == "ok" and bool(errors) != refused:
        fail(path, "expected ok, found", errors)
    if expected == "warn" and not issues:
        fail(path, "expected a warning, found nothing")
    if expected in ("error", "limit") and not errors:
        fail(path, "expected", expected, "found", issues)
    run(path, spec, None, "cast f32" if kind == "npy" else "decode | resize 8x8")


n = 0
with open(os.path.join(folder, "EXPECT.tsv"), encoding="utf-8") as expect:
    for line in expect:
        fields = line.rstrip("\n").split("\t")
        if mode == "ours":
            ours(*fields[:3])
        else:
            theirs(*fields[:2])
        n += 1
print(n, "files,", failures, "failures")
sys.exit(failures > 0)
END
failed=0
"$python" check.py bad ours || failed=1
if [ -f "$SRC/../shared/tools/gen_bad.py" ]; then
    mkdir shared
    "$python" "$SRC/../shared/tools/gen_bad.py" shared
    "$python" check.py shared theirs || failed=1
fi
exit $failed
