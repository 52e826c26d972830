#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause-Patent
# vos_perf_test.sh PROGRAM: its phases check every value they read; killed, it finds all that was durable.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
perf=("$1" --path "$dir/dev" --json --meta 32M --log 16M --data 64M -n 600)
check() { # phases expected in the output
	local want=$1
	shift
	got=$("$@" | sed 's/^{"phase": "\([a-z]*\)".*"rate": [0-9.]*, .*}$/\1/' | paste -sd,)
	[ "$got" = "$want" ] || { echo "expected $want, got $got: $*" >&2; exit 1; }
}
all=update,fetch,overwrite,fetch,aggregate,fetch,punch,reclaim,reopen
check "$all" "$1" --volatile --json -n 600 -s 100 -v 3 -w 200 -P "$all"
check "$all" "${perf[@]}" -s 300 --random --durable -v 3 -w 200 -P "$all"
check "$all" "${perf[@]}" -T array -s 4k --random -v 3 -w 200 -i 32 -P "$all"
for keys in hash int lex; do
	"${perf[@]}" -s 6000 --keys $keys --objects 3 --durable --keep -P update,kill >/dev/null
	check open,fetch "${perf[@]}" -s 6000 --keys $keys --objects 3 --existing -P fetch
done
[ ! -e "$dir/dev" ] || { echo "the device file was left" >&2; exit 1; }
"$1" --phases nonsense --volatile >/dev/null 2>&1 && { echo "an unknown phase was taken" >&2; exit 1; }
"$1" --size 3 >/dev/null 2>&1 && { echo "too small a value was taken" >&2; exit 1; }
exit 0
