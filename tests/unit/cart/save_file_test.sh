#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause-Patent
# examples/save_file over a provider: a file arrives as it is; names that lead elsewhere are refused.
set -euo pipefail
program=$1 provider=$2
dir=$(mktemp -d)
mkdir "$dir/kept" "$dir/from"
"$program" serve "$provider" "$dir/kept" >"$dir/uri" 2>"$dir/err" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$dir"' EXIT
for _ in $(seq 1000); do
	[ -s "$dir/uri" ] && break
	kill -0 $server || { cat "$dir/err"; exit 1; }
	read -rt 0.01 <> <(:) || :
done
uri=$(cat "$dir/uri")
head -c 3000001 /dev/urandom >"$dir/from/large"
echo small >"$dir/from/small"
for name in large small large; do
	"$program" save "$uri" "$dir/from/$name"
	cmp "$dir/from/$name" "$dir/kept/$name"
done
: >"$dir/from/empty"
! "$program" save "$uri" "$dir/from/empty" 2>/dev/null
ln -s "$dir/elsewhere" "$dir/kept/link"
echo evil >"$dir/from/link"
! "$program" save "$uri" "$dir/from/link" 2>/dev/null
[ ! -e "$dir/elsewhere" ]
"$program" save "$uri" "$dir/from/small"
