# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the tests of packages share, on top of the integration tests' own; sourced.
# shellcheck source=../integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
here=$(cd "$(dirname "$0")" && pwd) || exit 99
src=$(cd "$here/../.." && pwd) || exit 99

# A make in here is nobody's part, and works on what it was told.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES MAKE_TERMOUT MAKE_TERMERR DESTDIR TESTS
unset CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH PTRECLAIM_LIB

# pages SECTIONS: the man pages, as they are to be installed under share/man.
pages() {
	local page
	for page in "$src"/doc/*.[1-9]; do
		[[ $1 == *"${page##*.}"* ]] || continue
		echo "man${page##*.}/${page##*/}"
	done
}

# same WHAT EXPECTED FOUND: two lists that have to be one.
same() {
	if diff -u --label expected --label "$1" <(sort <<<"$2") <(sort <<<"$3") >"$tmp/diff"; then
		ok
	else
		cp "$tmp/diff" "$tmp/out"
		: >"$tmp/err"
		fail "$1 is not as expected; the difference:"
		return 1
	fi
}

# step WHAT COMMAND...: a part that the rest stands on.
step() {
	local what=$1
	shift
	stock "$@"
	verdict "$what" || finish
}
