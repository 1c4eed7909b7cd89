#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shards as GNU tar and Python write them, in every format they know: each file is found, its bytes lie where
# inspect says, and nothing is found wrong.
set -eu
export PYTHONUTF8=1
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "skip: no $python"; exit 77; }
tar --version 2>/dev/null | grep -q 'GNU tar' || { echo "skip: tar is not GNU tar"; exit 77; }

cat >dialects.py <<'END'
import json, os, subprocess, sys, tarfile
from collections import Counter

mill = os.environ["MILL"]
failures = 0


def fail(*what):
    global failures
    failures += 1
    print("FAIL:", *what)


def content(name, i):
    return (name * (i + 1)).encode()[:i * 97 % 3000]


def write(folder, names):
    for i, name in enumerate(names):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content(name, i))


def key_and_field(name):
    head, slash, base = name.rpartition("/")
    key, _, field = base.partition(".")
    return head + slash + key, field


def inspect(shard):
    done = subprocess.run([mill, "inspect", shard, "--json", "--samples"], capture_output=True, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def check(what, shard, names):
    code, rows = inspect(shard)
    issues = [row for row in rows if row["type"] == "issue" and row["kind"] != "decode"]
    if issues:
        fail(what, issues[:3])
    if [row for row in rows if row["type"] == "shard"][0]["nbytes_walked"] != os.path.getsize(shard):
        fail(what, "not walked to its end")
    with open(shard, "rb") as file:
        data = file.read()
    found = Counter()
    for row in rows:
        for field in row["fields"] if row["type"] == "sample" else ():
            found[row["key"], field["name"], data[field["offset"]:][:field["nbytes"]]] += 1
    wanted = Counter(key_and_field(name) + (content(name, i),) for i, name in enumerate(names))
    if found != wanted:
        fail(what, "missing:", list(wanted - found)[:3], "too much:", list(found - wanted)[:3])


short = [f"{i:03}.{field}" for i in range(20) for field in ("txt", "left.txt", "json")]
middle = [f"folder.with.dots/{'m' * 70}/{i:03}{'n' * 60}.txt" for i in range(5)]
long = [f"{'d' * 200}/{'e' * 150}/{i:03}{'f' * 200}.txt" for i in range(5)] + [f"{'g' * 101}.txt", f"{'h' * 95}.txt"]
special = ["käse/ü.txt", "blank name/a b.txt", "=/=.txt"]
formats = {"v7": short, "ustar": short + middle, "oldgnu": short + middle + long + special,
           "gnu": short + middle + long + special, "pax": short + middle + long + special}
for name, names in formats.items():
    folder = "in-" + name
    write(folder, names)
    for options in ([], ["--blocking-factor=1"], ["--sort=name"], ["--numeric-owner", "--owner=4000000000"]):
        if name in ("v7", "ustar") and "--owner=4000000000" in options:
            continue  # they cannot say so large a number
        if "--sort=name" in options:
            members = sorted({entry.split("/")[0] for entry in names})  # folders become members too
        else:
            members = names
        with open("list", "w") as file:
            file.write("".join(member + "\n" for member in members))
        shard = f"{name}.tar"
        subprocess.run(["tar", f"--format={name}", "-C", folder, "--no-unquote", *options, "-cf", shard,
                        "--verbatim-files-from", "-T", "list"], check=True)
        check(f"GNU tar, {name} {options}", shard, names)
for name, number in ("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT):
    shard = f"python-{name}.tar"
    with tarfile.open(shard, "w", format=number) as out:
        for member in formats[name]:
            out.add(os.path.join("in-" + name, member), member)
    check(f"Python, {name}", shard, formats[name])

# what GNU tar can write and a shard must not hold
with open("sparse.txt", "wb") as file:
    file.truncate(10 << 20)
    file.seek(5 << 20)
    file.write(b"data amid a hole")
with open("after.txt", "wb") as file:
    file.write(b"after")
for options in (["--format=gnu"], ["--format=oldgnu"], ["--format=pax", "--sparse-version=0.0"],
                ["--format=pax", "--sparse-version=0.1"], ["--format=pax", "--sparse-version=1.0"]):
    subprocess.run(["tar", *options, "--sparse", "-cf", "sparse.tar", "sparse.txt", "after.txt"], check=True)
    if os.path.getsize("sparse.tar") > 5 << 20:
        print("skip: holes are not seen on this file system")
        break
    code, rows = inspect("sparse.tar")
    issues = [row["kind"] for row in rows if row["type"] == "issue"]
    samples = [row["key"] for row in rows if row["type"] == "sample"]
    if (code, issues, samples) != (1, ["unsupported"], ["after"]):
        fail("sparse", options, code, issues, samples)
os.link("after.txt", "linked.txt")
os.symlink("after.txt", "symbolic.txt")
os.mkfifo("fifo.txt")
subprocess.run(["tar", "-cf", "odd.tar", "after.txt", "linked.txt", "symbolic.txt", "fifo.txt", "in-v7/000.txt"],
               check=True)
code, rows = inspect("odd.tar")
kinds = [row["kind"] for row in rows if row["type"] == "issue"]
if code != 1 or kinds != ["member"] * 3:
    fail("links and fifos:", code, kinds)
print(failures, "failures")
sys.exit(failures > 0)
END
"$python" dialects.py
