#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Look for what shardmill is built and tested with, say what is missing, and install it with the machine's
# package manager. `sh .ci/deps.sh build` for the library and the command, `check` for the tests as well,
# `all` for clang, lint and oracles too. With DEPS=no nothing is installed: the missing packages are named.
set -u
what=${1:-check}
cc=${CC:-gcc}
missing=

have() { command -v "$1" >/dev/null 2>&1; }

# header NAME: can the compiler include it?
header() { printf '#include <stddef.h>\n#include <stdio.h>\n#include <%s>\n' "$1" | "$compiler" $2 -fsyntax-only -x c - >/dev/null 2>&1; }

# need PACKAGE-ON-DEBIAN PACKAGE-ON-FEDORA TEST...
need() {
    debian=$1 fedora=$2
    shift 2
    "$@" || missing="$missing $debian:$fedora"
}

compiler=$cc
have "${cc%% *}" || compiler=gcc
have "$compiler" || compiler=cc
need gcc gcc have "$compiler"
need libjpeg62-turbo-dev libjpeg-turbo-devel header jpeglib.h ""
need liburing-dev liburing-devel header liburing.h ""
need libxxhash-dev xxhash-devel header xxhash.h ""
need libjansson-dev jansson-devel header jansson.h ""
need zlib1g-dev zlib-devel header zlib.h ""
case $cc in
*clang*)
    need clang clang have "${cc%% *}"
    need libomp-dev libomp-devel header omp.h -fopenmp
    ;;
esac
if [ "$what" != build ]; then
    need g++ gcc-c++ have "${CXX:-g++}"
    need pkg-config pkgconf-pkg-config have "${PKG_CONFIG:-pkg-config}"
    need check check-devel header check.h ""
    need libopenblas-dev openblas-devel "${PKG_CONFIG:-pkg-config}" --exists openblas # cblas.h may be another BLAS's
    need python3-numpy python3-numpy "${PYTHON:-/usr/bin/python3}" -c 'import numpy'
fi 2>/dev/null
if [ "$what" = all ]; then
    need clang clang have clang
    need clang-format clang-tools-extra have clang-format
    need clang-tidy clang-tools-extra have clang-tidy
    need python3-pil python3-pillow /usr/bin/python3 -c 'import PIL'
fi 2>/dev/null
[ -n "$missing" ] || exit 0

names() { for m in $missing; do echo "${m%%:*} ${m##*:}"; done | cut -d' ' -f"$1" | sort -u | tr '\n' ' '; }
if have apt-get; then
    packages=$(names 1) install='apt-get install -y --no-install-recommends' update='apt-get update -q'
elif have dnf; then
    packages=$(names 2) install='dnf install -y' update=:
else
    echo "shardmill needs these packages (Debian's names): $(names 1)" >&2
    echo "No package manager that this script knows was found: install them, and run make again." >&2
    exit 1
fi
if [ "${DEPS:-yes}" = no ]; then
    echo "shardmill needs: $packages" >&2
    echo "DEPS=no forbids to install them. As root: $install $packages" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    have sudo || { echo "shardmill needs: $packages. As root: $install $packages" >&2; exit 1; }
    as_root=sudo
fi
echo "shardmill needs packages that are not here; installing: $packages"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if $as_root $update >"$log" 2>&1 && $as_root $install $packages >>"$log" 2>&1; then
    rm -f "$log"
else
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "The installation failed; see above." >&2
    exit 1
fi
