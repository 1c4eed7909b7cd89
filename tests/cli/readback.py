#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the output folder of a run with readers that are not ours: NumPy, tarfile, json.

usage: readback.py FOLDER [--complete]

Every .npy is opened with numpy.load(mmap_mode="r") and read wholly; its rows, and the lines of the text files
beside it, must be as many as the manifest says were written. Every .tar is read to its end. Files that the manifest
does not list, sizes that differ, and counts that do not add up are errors. Prints one line for each error and exits 1
if there was one; else prints what was checked. --complete: the manifest must be that of a finished run."""

import argparse
import json
import os
import sys
import tarfile

import numpy

TAR_END = bytes(1024)


class Checker:
    def __init__(self, folder):
        self.folder = folder
        self.errors = 0
        self.files = 0
        self.rows = 0

    def expect(self, good, message):
        if not good:
            print(f"readback: {message}")
            self.errors += 1
        return good

    def path(self, name):
        return os.path.join(self.folder, name)

    def check_npy(self, name, written):
        """The rows and the array of one .npy file."""
        array = numpy.load(self.path(name), mmap_mode="r")
        self.expect(isinstance(array, numpy.memmap), f"{name}: is not memory-mapped")
        self.expect(array.ndim >= 1 and len(array) == written, f"{name}: shape {array.shape}, but {written} rows")
        self.expect(array.flags.c_contiguous, f"{name}: is not in C order")
        self.expect(array.offset % 64 == 0, f"{name}: data begin at {array.offset}, not a multiple of 64")
        total = array.offset + array.nbytes
        self.expect(total == os.path.getsize(self.path(name)), f"{name}: bytes behind the array, or too few")
        for row in range(0, len(array), 256):
            array[row : row + 256].tobytes()  # every page can be read
        return array

    def lines(self, name):
        with open(self.path(name), "rb") as file:
            data = file.read()
        self.expect(not data or data.endswith(b"\n"), f"{name}: the last line is not ended")
        return data.split(b"\n")[:-1]

    def check_text(self, name, written):
        lines = self.lines(name)
        self.expect(len(lines) == written, f"{name}: {len(lines)} lines, but {written} rows")
        if name.endswith(".jsonl"):
            for number, line in enumerate(lines, 1):
                try:
                    json.loads(line)
                except ValueError as error:
                    self.expect(False, f"{name}: line {number} is not JSON: {error}")
        else:
            clean = all(byte >= 0x20 and byte != 0x7F for line in lines for byte in line)
            self.expect(clean, f"{name}: control characters in keys")

    def check_columns(self, shard, arrays):
        """What one file of a shard says about another."""
        for name, array in arrays.items():
            if name.endswith(".label.npy"):
                self.expect(array.dtype == numpy.int64 and array.ndim == 1, f"{name}: labels are {array.dtype}")
                self.expect(not len(array) or (array >= -1).all(), f"{name}: labels below -1")
                self.expect((array >= 0).any(), f"{name}: there, though no row has a label")
            if name.endswith(".mask.npy"):
                bad = int((array == 0).sum())
                self.expect(array.dtype == numpy.uint8, f"{name}: the mask is {array.dtype}")
                self.expect(bad == shard["substituted"], f"{name}: {bad} zeros, {shard['substituted']} substituted")
                for other, tensor in arrays.items():
                    if other.endswith((".image.npy", ".data.npy")) and len(tensor) == len(array):
                        zeros = all(not tensor[row].any() for row in numpy.flatnonzero(array == 0))
                        self.expect(zeros, f"{other}: a substituted row is not zero")

    def check_tar(self, name, written):
        keys = []
        with tarfile.open(self.path(name), "r:") as tar:
            for member in tar:
                parts = member.name.split("/")
                self.expect(member.isfile(), f"{name}: {member.name} is not a file")
                self.expect(".." not in parts and parts[0], f"{name}: {member.name} is not safe to unpack")
                data = tar.extractfile(member).read()
                self.expect(len(data) == member.size, f"{name}: {member.name} is cut")
                key = "/".join(parts[:-1] + [parts[-1].split(".", 1)[0]])
                if not keys or keys[-1] != key:
                    keys.append(key)
                if member.name.lower().endswith((".jpg", ".jpeg")):
                    self.expect(data[:2] == b"\xff\xd8", f"{name}: {member.name} is no JPEG")
        self.expect(len(keys) == written, f"{name}: {len(keys)} samples, but {written} rows")
        self.expect(len(set(keys)) == len(keys), f"{name}: a key comes twice")
        with open(self.path(name), "rb") as file:
            file.seek(-len(TAR_END), os.SEEK_END)
            self.expect(file.read() == TAR_END, f"{name}: does not end with two zero blocks")

    def check_shard(self, shard):
        name, written = shard["name"], shard["written"]
        self.expect(shard["samples"] == written + shard["skipped"], f"{name}: samples are not written + skipped")
        self.expect(shard["substituted"] <= written, f"{name}: more rows substituted than written")
        arrays = {}
        for entry in shard["files"]:
            file = entry["name"]
            if not self.expect(os.path.isfile(self.path(file)), f"{file}: is in the manifest, but not there"):
                continue
            size = os.path.getsize(self.path(file))
            self.expect(size == entry["nbytes"], f"{file}: {size} bytes, {entry['nbytes']} in the manifest")
            self.expect(len(entry["xxh3"]) == 16, f"{file}: checksum {entry['xxh3']}")
            try:
                if file.endswith(".npy"):
                    arrays[file] = self.check_npy(file, written)
                elif file.endswith(".tar"):
                    self.check_tar(file, written)
                else:
                    self.check_text(file, written)
            except (ValueError, OSError, EOFError, tarfile.TarError) as error:
                self.expect(False, f"{file}: cannot be read: {error}")
            self.files += 1
        self.check_columns(shard, arrays)
        self.rows += written
        return [entry["name"] for entry in shard["files"]]

    def check(self, complete):
        with open(self.path("manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.expect(manifest["shardmill"] == 1, "manifest.json: not of version 1")
        self.expect(manifest["complete"] or not complete, "manifest.json: the run is not complete")
        listed = {"manifest.json"}
        for shard in manifest["shards"]:
            listed.update(self.check_shard(shard))
        for name in sorted(os.listdir(self.folder)):
            ours = name.endswith((".npy", ".tar", ".keys.txt", ".jsonl", ".partial"))
            self.expect(name in listed or not ours or not manifest["complete"], f"{name}: is not in the manifest")
        print(f"readback: {len(manifest['shards'])} shards, {self.files} files, {self.rows} rows, {self.errors} errors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--complete", action="store_true")
    arguments = parser.parse_args()
    checker = Checker(arguments.folder)
    try:
        checker.check(arguments.complete)
    except (OSError, ValueError, KeyError, TypeError) as error:
        checker.expect(False, f"manifest.json: cannot be checked: {error!r}")
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main())
