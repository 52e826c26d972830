#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Each public header compiles alone, as C and as C++, with warnings as errors.
# usage: client_headers_test.sh INCLUDE_DIR CC [CXX]
dir=$1 cc=$2 cxx=$3
passed=0 failed=0

try() { # language compiler options header
	if echo "#include <$4>" | $2 $3 -Wall -Wextra -Werror -I"$dir" -fsyntax-only -x "$1" -; then
		passed=$((passed + 1))
	else
		echo "<$4> does not compile as $1"
		failed=$((failed + 1))
	fi
}

for header in $(cd "$dir" && find . -name '*.h' | sed 's|^\./||' | sort); do
	try c "$cc" "-std=gnu11 -Wno-missing-field-initializers -Wno-unused-function" "$header"
	[ -z "$cxx" ] || try c++ "$cxx" "-std=c++11 -Wno-unused-function" "$header"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
