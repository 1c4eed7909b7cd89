#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The house rules that a compiler cannot see: layers, headers that compile alone in C11 and C++11, exactly the
# public symbols exported, and an installation that a stranger can build against.
set -eu
fail() { echo "FAIL: $*"; exit 1; }

sh "$SRC/tests/layers.sh"
# ... and the script itself must be able to fail.
mkdir -p broken/tests broken/src/kernel broken/include
cp "$SRC/tests/layers.sh" broken/tests/
echo '#include "engine/engine.h"' >broken/src/kernel/bad.c
echo '#include <omp.h>' >>broken/src/kernel/bad.c
[ "$(sh broken/tests/layers.sh | grep -c 'bad.c')" = 2 ] || fail 'layers.sh does not see a violation'

for header in "$SRC"/include/shardmill/*.h; do
    name=shardmill/$(basename "$header")
    echo "#include <$name>" >alone.c
    cp alone.c alone.cc
    $CC -std=c11 -pedantic -Wall -Wextra -Werror -I"$SRC/include" -fsyntax-only alone.c || fail "$name alone in C11"
    $CXX -std=c++11 -pedantic -Wall -Wextra -Werror -I"$SRC/include" -fsyntax-only alone.cc || fail "$name alone in C++11"
done

so=$(ls "$BUILD"/libshardmill.so.*.*.*)
nm -D --defined-only "$so" | awk '$2 ~ /[A-Z]/ && $2 != "A" {sub(/@.*/, "", $3); print $3}' | sort -u >exported
cat "$SRC"/include/shardmill/*.h | tr '\n' ' ' | grep -o 'MILL_API [^;]*(' | sed 's/ *($//; s/([^(]*$//' |
    grep -o 'mill_[a-z0-9_]*$' | sort -u >declared
diff declared exported >differences || fail "declared (<) and exported (>) functions differ: $(cat differences)"

if [ -n "${SAN:-}" ]; then echo 'installed program: skipped under sanitizers'; exit 0; fi
make -s -C "$SRC" install BUILD="$BUILD" CC="$CC" DESTDIR="$PWD/root" PREFIX=/usr DEPS=no >/dev/null
for file in bin/shardmill lib/libshardmill.a lib/libshardmill.so include/shardmill/shardmill.h share/man/man1/shardmill.1; do
    [ -e "root/usr/$file" ] || fail "install leaves out $file"
done
# The README's own example is the program.
awk '/^```c$/ {inside = 1; next} /^```/ {inside = 0} inside' "$SRC/README.md" >program.c
shards="$SRC/data/demo/train-{000000..000003}.tar"
export XDG_CACHE_HOME=$PWD/cache
export PKG_CONFIG_PATH=$PWD/root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$PWD/root
$CC program.c $($PKG_CONFIG --cflags --libs shardmill) -o shared
LD_LIBRARY_PATH=root/usr/lib ./shared "$shards" >out || fail 'a program with the shared library'
[ "$(awk '{n += $1} END {print n}' out)" = 96 ] || fail "the README's program: $(cat out)"
cp program.c program.cc
$CXX -std=c++11 program.cc $($PKG_CONFIG --cflags shardmill) -Lroot/usr/lib -l:libshardmill.so -o cxx
LD_LIBRARY_PATH=root/usr/lib ./cxx "$shards" >/dev/null || fail 'a C++ program'
make -s -C "$SRC" uninstall BUILD="$BUILD" DESTDIR="$PWD/root" PREFIX=/usr DEPS=no >/dev/null
[ -z "$(find root -type f -o -type l)" ] || fail "uninstall leaves $(find root -type f -o -type l)"
