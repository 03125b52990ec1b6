#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# propdoc.sh - ptreclaim-properties(7) has all properties that there are, and no others, each with its type,
# unit and access. Runs in the build directory.
set -u
page=${srcdir:-.}/doc/ptreclaim-properties.7
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

tests/unit/ctl-list | sort >"$work/code" || exit 99
grep '^\.BR ptreclaim\..* "' "$page" | sort >"$work/page"
if [ ! -s "$work/code" ] || ! diff -u --label "what there is" --label "$page" "$work/code" "$work/page"; then
	echo "propdoc: the page and the table differ"
	exit 1
fi
# An entry without a word of what it means is none.
awk '/^\.BR ptreclaim\..* "/ { name = $2; next }
	name && (/^\.TP/ || /^\.S[HS]/) { print name ": no text"; bad = 1 }
	{ name = "" }
	END { exit bad }' "$page" || exit 1
echo "$(wc -l <"$work/code") properties, all of them in $page"
