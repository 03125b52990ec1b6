#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The library exports what hooks/libptreclaim.symbols lists, under the nodes it says, and nothing else.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs nm readelf
list=$src/hooks/libptreclaim.symbols

wanted() {
	awk -v machine="$(${CC:-cc} -dumpmachine 2>/dev/null || uname -m)" '
		/^#/ { next }
		NF == 1 || index(machine, $2) == 1 { print $1 }' "$list"
}

# Names of nodes are absolute symbols themselves.
exported() {
	nm -D --defined-only --with-symbol-versions "$lib" | awk '$2 != "A" { sub("@@", "@", $3); print $3 }'
}

# A list that is not sorted hides what was added twice.
same "the order of $list" "$(grep -v '^#' "$list" | LC_ALL=C sort -u)" "$(grep -v '^#' "$list")"

if ! same "what $lib exports" "$(wanted)" "$(exported)"; then
	cat <<-END
		    A line with + is exported and not listed: make it static or hidden, or, if it was meant
		    to be public, name it in hooks/libptreclaim.map (unless it stands in for another's
		    function), hooks/libptreclaim.symbols and debian/libptreclaim0.symbols.
		    A line with - is listed and not exported any more: programs that use it would not start.
		    What was in a release stays in its node for good.
	END
fi

# One node a release, named after it, so none is newer than this one.
version=$(sed -n 's/^AC_INIT(\[ptreclaim\], \[\(.*\)\])$/\1/p' "$src/configure.ac")
for node in $(wanted | sed -n 's/.*@//p' | sort -u); do
	if [[ ! $node =~ ^PTRECLAIM_[0-9]+\.[0-9]+$ ]]; then
		fail "the node $node is not named PTRECLAIM_MAJOR.MINOR"
	elif [ "$(printf '%s\n' "${node#PTRECLAIM_}" "$version" | sort -V | tail -n 1)" != "$version" ]; then
		fail "the node $node is of a later release than $version"
	else
		ok
	fi
done
wanted | grep '^ptreclaim_' | grep -v @ >"$tmp/out" && fail "functions of ours without a node"

# What Debian's package promises is the same; a name without a node is @Base there.
if [ -e "$src/debian/libptreclaim0.symbols" ]; then
	same "debian/libptreclaim0.symbols" \
		"$(sed -e '/^#/d' -e 's/ .*//' -e '/@/!s/$/@Base/' "$list")" \
		"$(sed -n 's/^ \(([^)]*)\)\{0,1\}\([^ ]*\) .*/\2/p' "$src/debian/libptreclaim0.symbols" |
			grep -v '^PTRECLAIM_')"
else
	skip "debian/ is not part of this tree"
fi

soname=$(readelf -d "$lib" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
same "the SONAME" libptreclaim.so.0 "$soname"
finish
