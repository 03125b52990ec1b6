#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Instructions on the hook path stay under their ceilings: these are in bench/instructions.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"

tool=$(dirname "$0")/../../bench/instructions
have valgrind || skip_all "no valgrind here"
[ "$(uname -m)" = x86_64 ] || skip_all "the ceilings are of x86-64"
grep -q '^CC = gcc' "$top/Makefile" || skip_all "the ceilings are of gcc"
grep -qE '^CFLAGS = (.* )?-O2( |$)' "$top/Makefile" || skip_all "the ceilings are of -O2"

stock "$tool" --check --json --build "$top"
if [ "$status" -eq 1 ]; then
	fail "an event takes more instructions than its ceiling"
else
	verdict "bench/instructions"
fi
# Nothing that was not counted.
if have jq; then
	if jq -es 'length >= 8 and all(.[]; .instructions > 0 and .ceiling > 0)' "$tmp/out" >/dev/null; then
		ok
	else
		fail "not every event has been counted"
	fi
fi
finish
