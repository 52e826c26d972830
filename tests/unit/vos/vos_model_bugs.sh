#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause-Patent
# vos_model_bugs.sh PROGRAM: each planted bug (enum vos_bug) is found within a few hundred seeds, and without any of
# them nothing is.
set -u
program=$1
failed=0
"$program" --bug 0 --no-shrink --seeds 1..40 >/dev/null 2>&1 || { echo "[  FAILED  ] no_bug_is_found_where_none_is"; failed=1; }
for bug in 1 2 3 4 5; do
	found=
	for first in 1 51 101 151 201 251 301 351; do
		if ! "$program" --bug $bug --no-shrink --seeds $first..$((first + 49)) >/dev/null 2>&1; then
			found=$first
			break
		fi
	done
	if [ -n "$found" ]; then
		echo "[       OK ] bug_${bug}_is_found (seeds from $found on)"
	else
		echo "[  FAILED  ] bug_${bug}_is_found"
		failed=1
	fi
done
exit $failed
