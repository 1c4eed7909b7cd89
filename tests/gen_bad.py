#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write hostile and odd shards, each with what must be said of it.

usage: gen_bad.py FOLDER

FOLDER/EXPECT.tsv has a line for each shard: path, good samples, findings (blank-separated, sorted, each once:
E:kind for errors, W:kind for warnings; "-" for none), note. Findings are those of `shardmill inspect --deep`.
A kind that ends in "?" may be absent. Nothing but Python's standard library is needed.
"""
import os
import struct
import sys
import zlib

# ---- tar ------------------------------------------------------------------------------------------------


def octal(value, width):
    return b"%0*o\0" % (width - 1, value)


def base256(value):
    return (value + (1 << 96) if value < 0 else value | 1 << 95).to_bytes(12, "big")


def header(name, size=0, kind=b"0", *, size_field=None, magic=b"ustar\00000", prefix=b"", link=b"", wrong=0):
    block = bytearray(512)
    for at, field in ((0, name[:100]), (100, octal(0o644, 8)), (108, octal(0, 8)), (116, octal(0, 8)),
                      (124, size_field or octal(size, 12)), (136, octal(0, 12)), (148, b" " * 8), (156, kind),
                      (157, link), (257, magic), (345, prefix)):
        block[at:at + len(field)] = field
    block[148:156] = b"%06o\0 " % (sum(block) + wrong)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def member(name, data=b"", kind=b"0", **more):
    return header(name, len(data), kind, **more) + padded(data)


def record(key, value):
    body = b" %s=%s\n" % (key, value)
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return b"%d" % length + body


def pax(*records, kind=b"x"):
    return member(b"PaxHeaders/0", b"".join(records), kind)


def long_name(name, kind=b"L"):
    return member(b"././@LongLink", name + b"\0", kind)


END = bytes(1024)

# ---- JPEG: a baseline encoder that knows flat 8x8 blocks only -------------------------------------------------


def segment(marker, body, length=None):
    return bytes((0xff, marker)) + struct.pack(">H", len(body) + 2 if length is None else length) + body


class Bits:
    def __init__(self):
        self.out, self.held, self.count = bytearray(), 0, 0

    def put(self, value, width):
        self.held, self.count = self.held << width | value, self.count + width
        while self.count >= 8:
            byte = self.held >> (self.count - 8) & 255
            self.out += bytes((byte, 0)) if byte == 255 else bytes((byte,))
            self.count -= 8

    def end(self):
        if self.count % 8:
            self.put((1 << (8 - self.count % 8)) - 1, 8 - self.count % 8)
        return bytes(self.out)


QUANT = segment(0xdb, b"\0" + b"\x08" * 64)
# DC: twelve sizes, four bits each; AC: the end of the block, one bit.
TABLES = segment(0xc4, b"\0" + bytes((0, 0, 0, 12)) + bytes(12) + bytes(range(12))) + \
    segment(0xc4, b"\x10" + b"\1" + bytes(15) + b"\0")


def frame(width, height, components=1, *, sampling=0x11, marker=0xc0, precision=8):
    body = struct.pack(">BHHB", precision, height, width, components)
    for i in range(components):
        body += bytes((i + 1, sampling if i == 0 else 0x11, 0))
    return segment(marker, body)


def scan_header(components, spectral=(0, 63, 0)):
    body = bytes((components,)) + b"".join(bytes((i + 1, 0)) for i in range(components))
    return segment(0xda, body + bytes(spectral))


def scan(width, height, components=1, *, sampling=0x11, restart=0, dc_only=False):
    across, down = (sampling >> 4, sampling & 15) if components > 1 else (1, 1)
    mcus = -(-width // (8 * across)) * -(-height // (8 * down))
    bits, parts, last = Bits(), [], [0] * components
    for mcu in range(mcus):
        if restart and mcu and mcu % restart == 0:
            parts.append(bits.end() + bytes((0xff, 0xd0 + (mcu // restart - 1) % 8)))
            bits, last = Bits(), [0] * components
        for c in range(components):
            for _ in range(across * down if c == 0 else 1):
                value = (mcu * 37 + c * 11) % 200 - 100
                difference, last[c] = value - last[c], value
                size = abs(difference).bit_length()
                bits.put(size, 4)
                bits.put(difference if difference >= 0 else difference + (1 << size) - 1, size)
                if not dc_only:
                    bits.put(0, 1)
    return b"".join(parts) + bits.end()


SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def jpeg(width=24, height=16, components=1, *, sampling=0x11, marker=0xc0, restart=0, extra=b""):
    dri = segment(0xdd, struct.pack(">H", restart)) if restart else b""
    progressive = marker == 0xc2
    return SOI + extra + QUANT + frame(width, height, components, sampling=sampling, marker=marker) + TABLES + \
        dri + scan_header(components, (0, 0, 0) if progressive else (0, 63, 0)) + \
        scan(width, height, components, sampling=sampling, restart=restart, dc_only=progressive) + EOI


def exif(orientation, *, order="<", offset=8, count=1, entries=1, following=0, kind=3):
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    tiff = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, offset) + \
        struct.pack(order + "H", entries) + struct.pack(order + "HHI", 0x112, kind, count) + value + \
        struct.pack(order + "I", following)
    return segment(0xe1, b"Exif\0\0" + tiff)


# ---- npy ------------------------------------------------------------------------------------------------


def npy(text, data=b"", version=1, length=None, align=64):
    text = text if isinstance(text, bytes) else text.encode()
    before = 10 if version == 1 else 12
    text += b" " * (-(before + len(text) + 1) % align) + b"\n"
    stated = len(text) if length is None else length
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<H" if version == 1 else "<I", stated) + text + data


def dictionary(descr="<f4", order="False", shape="(2, 3)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (
        descr if descr.startswith("[") else repr(descr), order, shape)


# ---- the cases ------------------------------------------------------------------------------------------

cases = []


def case(path, data, good, findings="-", note=""):
    cases.append((path, data, good, findings, note))


def tar_cases():
    picture = jpeg()

    def pair(i):
        return member(b"%04d.jpg" % i, picture) + member(b"%04d.cls" % i, b"%d" % i)

    two = pair(0) + pair(1)
    pair_nbytes = len(pair(2))

    def tar(name, data, good, findings="-", note=""):
        case("tar/%s.tar" % name, data, good, findings, note)

    tar("sound", two + END, 2)
    tar("padded", two + END + bytes(10240), 2, note="blocking factor")
    tar("no_members", END, 0)
    tar("v7", member(b"0.jpg", picture, magic=bytes(8)) + END, 1)
    tar("gnu_magic", member(b"0.jpg", picture, magic=b"ustar  \0") + END, 1)
    tar("typeflag_nul", member(b"0.jpg", picture, b"\0") + END, 1)
    tar("contiguous", member(b"0.jpg", picture, b"7") + END, 1)
    tar("base256_size", header(b"0.jpg", size_field=base256(len(picture))) + padded(picture) + END, 1)
    tar("prefix", member(b"0.jpg", picture, prefix=b"some/folder") + END, 1)
    # the end
    tar("end_missing", two, 2, "W:eof")
    tar("end_single", two + bytes(512), 2, "W:eof")
    tar("joined", two + END + pair(2) + END, 3, "W:eof")
    tar("hole_between", two + bytes(4096) + pair(2) + END, 3, "W:eof", "zeros where samples may have been")
    tar("junk_behind", two + END + b"junk" * 100, 2, "E:trailing")
    tar("empty", b"", 0, "E:truncated")
    tar("html", b"<html>not found</html>" * 99, 0, "E:checksum W:eof")
    tar("shifted", b"\0" + two + END, 0, "E:checksum")
    tar("gzip", b"\x1f\x8b\x08\0" + bytes(range(256)) * 8, 0, "E:checksum W:eof")
    # cut
    tar("cut_header", two + pair(2)[:300], 2, "E:truncated W:eof")
    tar("cut_data", two + pair(2)[:600], 2, "E:truncated W:eof")
    tar("cut_between", two + pair(2)[:-1024], 2, "E:incomplete W:eof")
    tar("cut_padding", (two + pair(2))[:-100], 3, "W:eof")
    tar("cut_record", two + pax(record(b"path", b"a.jpg"))[:700], 2, "E:truncated W:eof")
    for i in range(1, 8):
        n = 4 * pair_nbytes * i // 8
        whole = max(n // pair_nbytes, 1)  # of the first sample nobody knows that it had a class
        tar("cut_%d_of_8" % i, b"".join(pair(j) for j in range(4))[:n], whole,
            "E:incomplete? E:truncated? W:eof", "%d of 4 samples are whole" % whole)
    # damage
    tar("checksum", two + member(b"2.jpg", picture, wrong=1) + member(b"2.cls", b"2") + pair(3) + END, 3,
        "E:checksum E:incomplete")
    tar("size_garbage", two + header(b"2.jpg", size_field=b"12x45678901\0") + pair(3) + END, 3, "E:size")
    tar("size_negative", two + header(b"2.jpg", size_field=base256(-512)) + pair(3) + END, 3, "E:size")
    tar("size_2_64", two + header(b"2.jpg", size_field=base256(1 << 64)) + pair(3) + END, 3, "E:size")
    tar("size_2_63_less_1", two + header(b"2.jpg", size_field=base256((1 << 63) - 1)) + END, 2,
        "E:truncated W:eof")
    tar("size_8_gib", two + header(b"2.jpg", size_field=b"77777777777\0") + END, 2, "E:truncated W:eof")
    tar("zeroed_header", two + pair(2)[:-1024] + bytes(512) + padded(b"2") + pair(3) + END, 3,
        "E:checksum E:incomplete")
    # extensions
    tar("pax_path", pax(record(b"path", b"long/0.jpg")) + member(b"x", picture) + END, 1)
    tar("pax_size_wins", pax(record(b"size", b"1024")) + header(b"0.x") + member(b"evil.x", b"?" * 512) +
        pair(1) + END, 2, note="what looks like a member is data")
    tar("pax_global", pax(record(b"comment", b"c0ffee"), kind=b"g") + two + END, 2)
    tar("pax_global_path", pax(record(b"path", b"all.jpg"), kind=b"g") + two + END, 2, "E:pax")
    tar("pax_global_alone", pax(record(b"comment", b"c0ffee"), kind=b"g") + END, 0)
    for name, body in (("length_beyond", b"999999999 path=a\n"), ("length_zero", b"0 path=a\n"),
                       ("length_missing", b"path=a\n"), ("no_newline", b"9 path=ab"), ("no_key", b"5 =a\n"),
                       ("size_negative", record(b"size", b"-1")), ("size_2_64", record(b"size", b"%d" % 2**64)),
                       ("size_hex", record(b"size", b"0x10")), ("nul_in_path", record(b"path", b"a\0b.jpg"))):
        tar("pax_" + name, member(b"PaxHeaders/0", body, b"x") + member(b"2.jpg", picture) + two + END, 2, "E:pax")
    tar("pax_1_gib", header(b"PaxHeaders/0", 1 << 30, b"x") + END, 0, "E:limit W:eof")
    tar("pax_sparse", pax(record(b"GNU.sparse.realsize", b"9999999999999")) + member(b"0.x", b"1\n0\n1\n") + two +
        END, 2, "E:unsupported")
    tar("gnu_long_name", long_name(b"n" * 300 + b".jpg") + member(b"n" * 100, picture) + END, 1)
    tar("gnu_long_name_too_long", long_name(b"n" * 2000 + b".jpg") + member(b"n" * 100, picture) + two + END, 2,
        "E:limit")
    tar("gnu_long_name_8_gib", header(b"././@LongLink", (1 << 33) - 1, b"L") + END, 0, "E:limit W:eof")
    tar("gnu_long_name_alone", two + long_name(b"n" * 300) + END, 2, "E:header")
    tar("gnu_sparse", two + header(b"2.x", 0, b"S", magic=b"ustar  \0") + END, 2, "E:unsupported")
    tar("gnu_volume", header(b"2.x", 0, b"M", magic=b"ustar  \0") + two + END, 2, "E:unsupported")
    # names
    for name, text, good, findings in (
            ("climbing", b"../../evil.jpg", 1, "W:name"), ("absolute", b"/evil.jpg", 1, "W:name"),
            ("drive", b"C:\\evil.jpg", 1, "W:name"), ("escape", b"\x1b[31m.jpg", 1, "W:name"),
            ("newline", b"a\nb.jpg", 1, "W:name"), ("none", b"", 0, "W:name"), ("no_dot", b"README", 0, "W:name"),
            ("hidden", b".hidden.jpg", 0, "W:name"), ("dot_slash", b"./0.jpg", 1, "-"),
            ("two_slashes", b"a//0.jpg", 1, "-"), ("latin1", b"caf\xe9.jpg", 1, "-"), ("upper", b"0.JPG", 1, "-"),
            ("folder_with_dot", b"v1.0/0.jpg", 1, "-"), ("trailing_dot", b"0.", 1, "-")):
        tar("name_" + name, member(text, picture) + END, good, findings)
    # other members
    tar("links", member(b"l.jpg", b"", b"1", link=b"x") + member(b"m.jpg", b"", b"2", link=b"/x") + two + END, 2,
        "W:member")
    tar("link_with_data", member(b"l.jpg", b"data", b"1", link=b"x") + two + END, 2, "W:member")
    tar("link_with_size_only", header(b"l.jpg", 512, b"1", link=b"x") + two + END, 2, "W:member")
    tar("devices", header(b"d", 0, b"3") + header(b"f", 0, b"6") + two + END, 2, "W:member")
    tar("folders", header(b"d/", 0, b"5") + header(b"e", 4096, b"5") + two + END, 2)
    # keys
    tar("key_again", two + pair(0) + END, 3, "W:duplicate")
    tar("interleaved", member(b"0.jpg", picture) + member(b"1.jpg", picture) + member(b"0.json", b"{}") +
        member(b"1.json", b"{}") + END, 4, "W:duplicate")
    tar("extension_twice", member(b"0.jpg", picture) * 2 + END, 0, "E:duplicate")
    tar("files_33", b"".join(member(b"0.%d" % i) for i in range(33)) + END, 0, "E:limit")
    tar("many", b"".join(header(b"%06d.txt" % i) for i in range(20000)) + END, 20000)
    tar("class_garbage", member(b"0.cls", b"cat") + member(b"0.jpg", picture) + two + END, 2, "E:label")


def npy_cases():
    rows = struct.pack("<6f", *range(6))

    def array(name, data, good, findings="-", note=""):
        case("npy/%s.npy" % name, data, good, findings, note)

    def refused(name, text, kind, data=rows, **more):
        array(name, npy(text, data, **more), 0, "E:" + kind)

    for version in 1, 2, 3:
        array("version_%d" % version, npy(dictionary(), rows, version), 2)
    for descr in "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "f4", "=f4":
        width = int(descr[-1])
        array("dtype_" + "".join(c if c.isalnum() else "_" for c in descr),
              npy(dictionary(descr, shape="(2, 3)"), bytes(6 * width)), 2)
    array("keys_reordered", npy("{'shape':(2,3),'fortran_order':False,'descr':'<f4'}", rows), 2)
    array("double_quotes", npy('{"descr": "<f4", "fortran_order": False, "shape": (2, 3)}', rows), 2)
    array("python2_longs", npy(dictionary(shape="(2L, 3L)"), rows), 2)
    array("aligned_16", npy(dictionary(), rows, align=16), 2)
    array("no_rows", npy(dictionary(shape="(0, 3)")), 0)
    array("one_axis", npy(dictionary(shape="(6,)"), rows), 6)
    array("fortran_one_axis", npy(dictionary(order="True", shape="(6,)"), rows), 6)
    array("trailing", npy(dictionary(), rows + b"more"), 2, "W:trailing")
    for descr in "<f3", "<f16", "<c8", "<U4", "|S4", "<M8[s]", "|O", "|V8", "?", "float32", "":
        refused("refused_" + descr.encode().hex(), dictionary(descr), "unsupported", rows * 4)
    refused("structured", dictionary("[('x', '<f4')]", shape="(6,)"), "unsupported")
    array("fortran", npy(dictionary(order="True"), rows), 2)
    array("big_endian", npy(dictionary(">f4"), rows), 2)
    refused("scalar", dictionary(shape="()"), "unsupported")
    refused("version_9", dictionary(), "unsupported", version=9)
    refused("axes_64", dictionary(shape="(" + "1, " * 64 + ")"), "unsupported")
    for name, shape in (("negative", "(-1, 3)"), ("float", "(2.0, 3)"), ("no_tuple", "6"), ("parentheses", "(6)"),
                        ("product", "(4294967296, 4294967296)"), ("hidden_by_zero", "(0, %d, %d)" % (2**62, 2**62)),
                        ("2_63", "(%d,)" % 2**63), ("open", "(2, 3"), ("list", "[2, 3]")):
        refused("shape_" + name, dictionary(shape=shape), "header")
    refused("shape_4_tb", dictionary(shape="(1000000000000,)"), "truncated")
    refused("shape_no_elements", dictionary(shape="(3, 0)"), "shape", b"")
    refused("row_too_large", dictionary("|u1", shape="(1, 99999999999)"), "truncated", b"")
    refused("nested", "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 9000 + ")" * 9000 + "}", "header")
    refused("code", "{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,)}", "header")
    refused("key_twice", "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "header")
    refused("key_missing", "{'descr': '<f4', 'shape': (1,)}", "header")
    refused("key_more", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "header")
    refused("text_behind", dictionary() + " x", "header")
    refused("header_4_gib", dictionary(), "limit", version=2, length=0xffffffff)
    refused("header_short", dictionary(), "header", length=10)
    refused("header_beyond", dictionary(), "truncated", length=60000)
    array("no_npy", b"PK\3\4" + bytes(100), 0, "E:header", "an .npz archive")
    array("magic_only", b"\x93NUMPY", 0, "E:truncated")
    array("empty", b"", 0, "E:truncated")
    array("cut_data", npy(dictionary(), rows[:-1]), 0, "E:truncated")


def jpeg_cases():
    def one(name, data, good, findings="-", note=""):
        case("jpeg/%s.tar" % name, member(b"0.jpg", data) + member(b"1.jpg", jpeg()) + END, good + 1, findings, note)

    def bad(name, data, kind="decode", note=""):
        one(name, data, 0, "E:" + kind, note)

    grey = jpeg()
    one("grey", grey, 1)
    one("rgb", jpeg(components=3), 1)
    one("subsampled", jpeg(33, 17, 3, sampling=0x22), 1)
    one("one_pixel", jpeg(1, 1, 3, sampling=0x22), 1)
    one("four_components", jpeg(components=4), 1)
    one("restarts", jpeg(64, 64, restart=2), 1)
    one("progressive", jpeg(marker=0xc2), 1)
    one("comment", jpeg(extra=segment(0xfe, b"c" * 65533)), 1)
    one("fill_bytes", SOI + b"\xff" * 9 + grey[2:], 1)
    one("junk_behind", grey + b"junk" * 99, 1)
    one("no_end", grey[:-2], 1, note="of one scan, and all its pixels are there")
    one("two_images", grey + grey, 1)
    for order, name in ("<", "little"), (">", "big"):
        for orientation in 0, 1, 6, 8, 9, 65535:
            one("exif_%s_%d" % (name, orientation), jpeg(extra=exif(orientation, order=order)), 1)
    one("exif_offset_beyond", jpeg(extra=exif(6, offset=0xfffffff0)), 1)
    one("exif_loop", jpeg(extra=exif(6, following=8)), 1)
    one("exif_entries", jpeg(extra=exif(6, entries=65535)), 1)
    one("exif_count", jpeg(extra=exif(6, count=0xffffffff)), 1)
    one("exif_short", jpeg(extra=segment(0xe1, b"Exif\0\0II*\0")), 1)
    bad("empty", b"")
    bad("html", b"<html>not found</html>")
    bad("png", b"\x89PNG\r\n\x1a\n" + bytes(60))
    bad("webp", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(60))
    bad("junk_before", b"junk" + grey)
    bad("soi_only", SOI)
    bad("no_scan", grey[:grey.index(b"\xff\xda")] + EOI)
    bad("no_frame", SOI + QUANT + TABLES + EOI)
    bad("no_tables", grey.replace(TABLES, b""))
    bad("no_quantisation", grey.replace(QUANT, b""))
    for i in range(1, 8):
        bad("cut_%d_of_8" % i, grey[:len(grey) * i // 8])
    big = jpeg(256, 256)
    bad("cut_in_scan", big[:-len(big) // 4])
    bad("scan_garbage", big[:-600] + b"\x55" * 598 + EOI)
    bad("height_0", grey.replace(frame(24, 16), frame(24, 0)))
    bad("width_0", grey.replace(frame(24, 16), frame(0, 16)))
    bad("taller_than_scan", grey.replace(frame(24, 16), frame(24, 4096)))
    bad("bits_12", grey.replace(frame(24, 16), frame(24, 16, precision=12)), "unsupported")
    bad("lossless", grey.replace(frame(24, 16), frame(24, 16, marker=0xc3)), "unsupported")
    bad("two_components", jpeg(components=2), "unsupported")
    bad("sampling_0", grey.replace(frame(24, 16), frame(24, 16, sampling=0)))
    bad("pixels_65500", grey.replace(frame(24, 16), frame(65500, 65500)), "limit")
    scans = b"".join(scan_header(1, (k, k, bits)) + bytes(8) for k in range(1, 64) for bits in (0x01, 0x10))
    many = jpeg(64, 64, marker=0xc2)
    bad("many_scans", many[:-2] + scans + EOI, "limit", "127 passes over the picture, each of them sound")


# ---- gzip and zip ----------------------------------------------------------------------------------------------


def deflated(data, level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def gz(data, *, flags=0, extra=b"", crc=0, length=0, method=8):
    return bytes((0x1f, 0x8b, method, flags)) + bytes(6) + extra + deflated(data) + struct.pack(
        "<II", zlib.crc32(data) ^ crc, (len(data) + length) & 0xffffffff)


class Member:
    """a member of a zip archive, and the lies that are told of it"""

    def __init__(self, name, data, method=0, *, flags=0, local_flags=None, crc=0, size=None, stored=None, offset=None,
                 local_name=None, local_method=None, stored_data=None, wide=False):
        self.name, self.method, self.flags = name, method, flags
        self.stored_data = stored_data if stored_data is not None else deflated(data) if method == 8 else data
        self.crc, self.offset, self.wide = zlib.crc32(data) ^ crc, offset, wide
        self.size = len(data) if size is None else size
        self.stored = len(self.stored_data) if stored is None else stored
        self.local_name = name if local_name is None else local_name
        self.local_flags = flags if local_flags is None else local_flags
        self.local_method = method if local_method is None else local_method

    def common(self, flags, method, name, extra):
        sizes = (0xffffffff, 0xffffffff) if self.wide else (self.stored, self.size)
        return struct.pack("<HHHHHIIIHH", 45, flags, method, 0, 33, self.crc, *sizes, len(name), len(extra))

    def local(self):
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.stored) if self.wide else b""
        return b"PK\3\4" + self.common(self.local_flags, self.local_method, self.local_name, extra) + \
            self.local_name + extra + self.stored_data

    def central(self, at):
        at = at if self.offset is None else self.offset
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.stored, at) if self.wide else b""
        return b"PK\1\2" + struct.pack("<H", 45) + self.common(self.flags, self.method, self.name, extra) + \
            struct.pack("<HHHII", 0, 0, 0, 0, 0xffffffff if self.wide else at) + self.name + extra


def zipped(*members, count=None, at=None, nbytes=None, end64=False, comment=b"", locator=0, disk=0):
    body, directory = b"", b""
    for m in members:
        directory += m.central(len(body))
        body += m.local()
    n = len(members) if count is None else count
    at, nbytes = len(body) if at is None else at, len(directory) if nbytes is None else nbytes
    end = b""
    if end64:
        end = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, n, n, nbytes, at)
        end += b"PK\6\7" + struct.pack("<IQI", 0, len(body) + len(directory) + locator, 1)
        n, at, nbytes = 0xffff, 0xffffffff, 0xffffffff
    end += b"PK\5\6" + struct.pack("<HHHHIIH", disk, disk, n, n, nbytes, at, len(comment)) + comment
    return body + directory + end


def packed_cases():
    rows = npy(dictionary(), struct.pack("<6f", *range(6)))
    other = npy(dictionary("<i8", shape="(2,)"), struct.pack("<2q", 4, 5))

    def array(name, data, good, findings="-", note=""):
        case("packed/" + name, data, good, findings, note)

    def bad(name, data, kind, note=""):
        array(name, data, 0, "E:" + kind, note)

    array("good.npy.gz", gz(rows), 2)
    array("members.npy.gz", gz(rows[:99]) + gz(b"") + gz(rows[99:]), 2)
    array("zeros_behind.npy.gz", gz(rows) + bytes(70000), 2, note="as from a tape")
    array("fields.npy.gz", gz(rows, flags=0x1c, extra=b"\4\0abcdname\0comment\0"), 2)
    array("trailing.npy.gz", gz(rows + bytes(50 << 20)), 2, "W:trailing", "50 MiB of zeros in 50 kB")
    array("tar.tar.gz", gz(member(b"0.jpg", jpeg()) + END), 1)
    bad("nothing.npy.gz", b"", "truncated")
    bad("plain.npy.gz", rows, "deflate", "not compressed at all")
    bad("no_npy.npy.gz", gz(b"hello"), "header")
    bad("cut_header.npy.gz", gz(rows)[:7], "truncated")
    bad("cut.npy.gz", gz(rows)[:40], "truncated")
    bad("cut_check.npy.gz", gz(rows)[:-3], "truncated")
    bad("cut_rows.npy.gz", gz(rows[:-4]), "truncated", "sound gzip, but less than the header promises")
    bad("crc.npy.gz", gz(rows, crc=1), "checksum")
    bad("length.npy.gz", gz(rows, length=1), "checksum")
    bad("method.npy.gz", gz(rows, method=7), "deflate")
    bad("flags.npy.gz", gz(rows, flags=0xe0), "deflate")
    bad("garbage.npy.gz", gz(rows) + b"garbage", "trailing")
    bad("second_cut.npy.gz", gz(rows[:99]) + gz(rows[99:])[:-5], "truncated")
    bad("second_crc.npy.gz", gz(rows[:99]) + gz(rows[99:], crc=1), "checksum")
    bad("block.npy.gz", bytes((0x1f, 0x8b, 8)) + bytes(7) + b"\7" + bytes(30), "deflate", "a block of no kind")

    good = Member(b"x.npy", rows), Member(b"y.npy", other)
    array("stored.npz", zipped(*good), 2)
    array("deflated.npz", zipped(Member(b"x.npy", rows, 8), Member(b"y.npy", other, 8)), 2)
    array("wide.npz", zipped(Member(b"x.npy", rows, wide=True), Member(b"y.npy", other, 8, wide=True), end64=True), 2)
    array("comment.npz", zipped(*good, comment=b"made by hand"), 2)
    array("one.npz", zipped(Member(b"anything.npy", rows)), 2)
    array("npz.npz.gz", gz(zipped(*good)), 2)
    bad("nothing.npz", b"", "header")
    bad("text.npz", b"hello" * 20, "header")
    bad("cut.npz", zipped(*good)[:-9], "header")
    bad("cut_half.npz", zipped(*good)[:200], "header")
    bad("behind.npz", zipped(*good) + b"more", "header")
    bad("empty.npz", zipped(), "array")
    bad("lengths.npz", zipped(good[0], Member(b"y.npy", npy(dictionary("<i8", shape="(3,)"), bytes(24)))), "shape")
    bad("text_in_it.npz", zipped(good[0], Member(b"readme.txt", b"hello")), "unsupported")
    bad("objects.npz", zipped(Member(b"x.npy", npy(dictionary("|O"), rows))), "unsupported")
    bad("encrypted.npz", zipped(Member(b"x.npy", rows, flags=1)), "unsupported")
    bad("lzma.npz", zipped(Member(b"x.npy", rows, 14)), "unsupported")
    bad("parts.npz", zipped(*good, disk=1), "unsupported")
    bad("crc.npz", zipped(Member(b"x.npy", rows, 8, crc=1)), "checksum")
    bad("less.npz", zipped(Member(b"x.npy", rows, 8, size=len(rows) + 1)), "size")
    bad("bomb.npz", zipped(Member(b"x.npy", rows + bytes(50 << 20), 8, size=len(rows))), "size",
        "it inflates to much more than the directory says")
    bad("stored_sizes.npz", zipped(Member(b"x.npy", rows, size=len(rows) + 1)), "size")
    bad("behind_deflate.npz", zipped(Member(b"x.npy", rows, 8, stored_data=deflated(rows) + b"more")), "trailing")
    bad("cut_deflate.npz", zipped(Member(b"x.npy", rows, 8, stored_data=deflated(rows)[:-9])), "truncated")
    bad("rows_cut.npz", zipped(Member(b"x.npy", rows[:-4])), "truncated")
    bad("rows_trailing.npz", zipped(Member(b"x.npy", rows + b"more")), "trailing")
    bad("twice.npz", zipped(good[0], good[0]), "duplicate")
    bad("overlap.npz", zipped(good[0], Member(b"x.npy", rows, offset=0)), "overlap")
    bad("overlap_long.npz", zipped(Member(b"x.npy", rows, stored=len(rows) + 60, size=len(rows) + 60), good[1]), "overlap")
    bad("offset.npz", zipped(Member(b"x.npy", rows, offset=1 << 31)), "header")
    bad("offset_wide.npz", zipped(Member(b"x.npy", rows, wide=True, offset=(1 << 64) - 20)), "header")
    bad("size_wide.npz", zipped(Member(b"x.npy", rows, wide=True, size=(1 << 64) - 1, stored=(1 << 64) - 1)), "truncated")
    bad("other_name.npz", zipped(Member(b"x.npy", rows, local_name=b"z.npy")), "header")
    bad("other_method.npz", zipped(Member(b"x.npy", rows, local_method=8)), "header")
    bad("control.npz", zipped(Member(b"x\n.npy", rows)), "header")
    bad("no_name.npz", zipped(Member(b"", rows)), "header")
    bad("count.npz", zipped(*good, count=3), "header")
    bad("count_many.npz", zipped(*good, count=60000), "limit")
    bad("directory_at.npz", zipped(*good, at=3), "header")
    bad("directory_long.npz", zipped(*good, nbytes=1 << 20), "header")
    bad("end64_at.npz", zipped(*good, end64=True, locator=1 << 40), "header")
    bad("end64_count.npz", zipped(*good, end64=True, count=1 << 60), "limit")
    bad("members_many.npz", zipped(*(Member(b"a%d.npy" % i, rows) for i in range(40))), "array",
        "no name among them says which is the tensor")


def main(folder):
    tar_cases()
    npy_cases()
    packed_cases()
    jpeg_cases()
    with open(os.path.join(folder, "EXPECT.tsv"), "w", encoding="utf-8") as expect:
        for path, data, good, findings, note in cases:
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "wb") as file:
                file.write(data)
            expect.write("%s\t%d\t%s\t%s\n" % (path, good, findings, note))
    print(len(cases), "shards")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    main(sys.argv[1])
