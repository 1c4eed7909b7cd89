#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Help, lists and the man page: complete, alike, on standard output, and with examples that work.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache

expect 0 "$MILL" --version
grep -qx 'shardmill [0-9]*\.[0-9]*\.[0-9]*' stdout || fail "--version says $(cat stdout)"
expect 0 "$MILL" --help
silent stderr
commands=$(sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' stdout)
[ "$(echo "$commands" | wc -w)" -ge 4 ] || fail "commands are: $commands"

# The examples are to be run in the top folder of the repository; here, so that nothing is written there, in one that
# has the same data.
photos=
if [ -e "$SRC/data/demo/train-000003.tar" ]; then
    photos=yes
    ln -s "$SRC/data" data
fi

for command in $commands; do
    expect 0 "$MILL" "$command" --help
    silent stderr
    cp stdout help
    expect 0 "$MILL" help "$command"
    cmp -s stdout help || fail "help $command and $command --help differ"
    awk 'length > 80' help | grep -v "^    --pipe" | head -1 >long
    silent long
    ! grep -q ' $' help || fail "$command --help has blanks at the ends of lines"
    # every option is in the man page
    for option in $(grep -o '^ .*--[a-z-]*' help | grep -o -- '--[a-z-]*$'); do
        [ "$option" = --help ] || grep -q "Fl Fl ${option#--}\\b" "$SRC/docs/shardmill.1" ||
            fail "the man page lacks $option of $command"
    done
    example=$(sed -n '/^example:/,$p' help | tail -n +2)
    [ -n "$example" ] || fail "$command --help has no example"
    case $command in
    run | load | inspect | stats | fit | index) [ -n "$photos" ] || continue ;;
    esac
    (PATH=$(dirname "$MILL"):$PATH && eval "$example") >example.out 2>&1 ||
        fail "the example of $command: $example: $(head -c 600 example.out)"
done
# ... and what the man page names exists
for option in $(grep -o 'Fl Fl [a-z-]*' "$SRC/docs/shardmill.1" | sed 's/Fl Fl //' | sort -u); do
    case $option in help | version) continue ;; esac
    for command in $commands; do "$MILL" "$command" --help; done | grep -q -- "--$option\\b" || fail "there is no --$option"
done
if command -v groff >/dev/null; then
    groff -mdoc -ww -Tascii "$SRC/docs/shardmill.1" 2>warnings >page
    silent warnings
    [ "$(wc -l <page)" -gt 150 ] || fail "the man page is cut"
fi

# Lists: each name of a list is told about, and every transform's example is a pipeline that parses.
expect 0 "$MILL" transforms
silent stderr
names=$(awk '/^$/ {exit} /^[a-z]/ {print $1}' stdout)
[ "$(echo "$names" | wc -w)" -ge 10 ] || fail "transforms are: $names"
expect 0 "$MILL" transforms --json
json_holds stdout "[r['name'] for r in rows] == '''$names'''.split()"
json_holds stdout 'all(r["type"] == "transform" and r["summary"] and r["example"] for r in rows)'
json_holds stdout 'all(p["help"] and p["type"] and p["required"] in (True, False) for r in rows for p in r["parameters"])'
for name in $names; do
    expect 0 "$MILL" transforms "$name"
    says stdout "$name: "
    example=$(sed -n 's/^example: //p' stdout)
    # a shard that is not there is the next complaint after the pipeline's
    expect 2 "$MILL" run no-such-shard --pipe "$example" --as null
    says stderr no-such-shard
done
expect 0 "$MILL" transforms resize decode
[ "$(grep -c '^example: ' stdout)" = 2 ] || fail 'two names, but not two examples'

expect 0 "$MILL" formats
for word in tar npy folder null; do says stdout "  $word "; done
expect 0 "$MILL" formats --json
json_holds stdout '{r["type"] for r in rows} == {"format", "sink", "source"}'
json_holds stdout '".tar" in [e for r in by("format") for e in r["extensions"]]'

[ -n "$photos" ] || echo 'the examples that read photographs were not tried: there are no photographs'
finish
