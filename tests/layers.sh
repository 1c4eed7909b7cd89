#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (docs/design.md, "Layers"), and which single file may include each third-party header.
# Prints every violation; fails if there is one.
cd "$(dirname "$0")/.." || exit 2

may_include='
base:      base
source:    base source
sample:    base sample
format:    base sample format
kernel:    base kernel
transform: base sample format kernel transform
sink:      base sample format sink
engine:    base source sample format kernel transform sink engine registry
api:       base source sample sink engine api registry
cli:
'
third_party='
src/base/hash.c             xxhash.h
src/engine/team.c           omp.h
src/format/inflate.c       zlib.h
src/sink/manifest_json.c    jansson.h
src/source/io_uring.c       liburing.h
src/transform/jpeg_entropy.c jpegint.h
src/transform/libjpeg.h     jpeglib.h
'
grep -rHn '^ *# *include' src include | {
    bad=0
    complain() {
        echo "layers: $1"
        bad=1
    }
    while IFS=: read -r file line text; do
        target=$(printf '%s\n' "$text" | sed 's/.*[<"]\([^>"]*\)[>"].*/\1/')
        layer=$(printf '%s\n' "$file" | cut -d/ -f2)
        case $text in
        *'"'*)
            [ "$layer" = registry.c ] || [ "$layer" = registry.h ] && continue
            case $file in include/*) complain "$file:$line: a public header includes \"$target\"" && continue ;; esac
            case $layer/$target in cli/*/*) ;; cli/*) continue ;; esac # its own folder: it sees no other
            other=${target%%/*}
            other=${other%.h}
            case "$(printf '%s' "$may_include" | sed -n "s/^$layer: *\(.*\)/ \1 /p")" in
            *" $other "*) ;;
            *) complain "$file:$line: $layer/ must not include \"$target\"" ;;
            esac
            ;;
        *)
            case $target in
            jpeglib.h | jpegint.h | turbojpeg.h | omp.h | xxhash.h | jansson.h | liburing.h | zlib.h | cblas.h | lapacke.h)
                printf '%s' "$third_party" | grep -q "^$file  *$target\$" ||
                    complain "$file:$line: only one file may include <$target>: $(printf '%s' "$third_party" |
                        sed -n "s/  *$target\$//p")"
                ;;
            esac
            ;;
        esac
    done
    [ $bad = 0 ] && echo 'layers: clean'
    exit $bad
}
