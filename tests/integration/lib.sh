# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the integration tests share; sourced.
#
# They run in the build directory, as make check does, or with top_builddir set. Every program runs
# under timeout, so a hang is a failure. Only what a test started is ever killed.
set -u

top=$(cd "${top_builddir:-.}" && pwd) || exit 99
lib=${PTR_LIB:-$top/hooks/.libs/libptreclaim.so}
cmd=$top/tools/ptreclaim
progs=$top/tests/integration
tmp=$(mktemp -d) || exit 99
LIMIT=${LIMIT:-120} # seconds a program may take

# One of them changes the machine for a while (changes_machine=yes), which the others must not meet. A
# lock that ends with the test; where there is no flock they are on their own.
if command -v flock >/dev/null; then
	exec 9>"$progs/lock"
	if [ "${changes_machine:-no}" = yes ]; then
		flock -x 9
	else
		flock -s 9
	fi
fi

# Every test works in its own language and without what its caller set.
unset LD_PRELOAD PTRECLAIM_CONF MALLOC_CONF
export LC_ALL=C

restore() { :; } # what a test changed outside itself; redefined where there is any
cleanup() {
	restore
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 99' HUP INT TERM

failed=0 passed=0 left_out=0
: >"$tmp/out"
: >"$tmp/err"

skip_all() {
	echo "SKIP: $*"
	exit 77
}

# A part of a test that cannot be run here.
skip() {
	left_out=$((left_out + 1))
	echo "SKIP: $*"
}

fail() {
	echo "FAIL: $*"
	tail -n 15 "$tmp/out" | cut -c 1-200 | sed 's/^/    stdout: /'
	tail -n 15 "$tmp/err" | cut -c 1-200 | sed 's/^/    stderr: /'
	failed=$((failed + 1))
}

ok() {
	passed=$((passed + 1))
}

# needs NAME...: programs of the build, or commands of the system.
needs() {
	local name
	for name; do
		[ -x "$progs/$name" ] || command -v "$name" >/dev/null || skip_all "no $name here"
	done
	[ -e "$lib" ] || skip_all "$lib is not built"
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# The last line is the verdict.
finish() {
	if [ $failed -eq 0 ] && [ $passed -eq 0 ]; then
		skip_all "nothing here could be run"
	fi
	echo "$passed parts passed, $failed failed, $left_out skipped"
	[ $failed -eq 0 ]
	exit
}

# No kill file of the host's shall interfere.
conf_of() {
	echo "kill_file:$tmp/none${1:+,$1}"
}

# stock COMMAND...: status in $status, output in $tmp/out and $tmp/err.
stock() {
	# The shell's own word on a program that was aborted is for nobody.
	{ timeout -k 5 "$LIMIT" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; } 2>/dev/null
	status=$?
}

# under CONF COMMAND...: the same under preload. PRELOAD: more libraries, in front of it.
under() {
	local conf
	conf=$(conf_of "$1")
	shift
	stock env LD_PRELOAD="${PRELOAD:+$PRELOAD:}$lib" PTRECLAIM_CONF="$conf" "$@"
}

# verdict WHAT: of the last program: it has to end well.
verdict() {
	case $status in
	0)
		ok
		return 0
		;;
	3) fail "$1: a byte was lost" ;;
	124 | 137) fail "$1: still running after $LIMIT s" ;;
	*) fail "$1: exit status $status" ;;
	esac
	return 1
}

# counter NAME: the number behind NAME in the statistics on $tmp/err; bytes exactly.
counter() {
	awk -v name="$1" '$1 == name && !seen { seen = 1
		print ($3 ~ /^([KMGT]i)?B$/ ? $4 : $2) }' "$tmp/err"
}

# expect WHAT NAME OPERATOR NUMBER: of a counter.
expect() {
	local n
	n=$(counter "$2")
	if [ -z "$n" ]; then
		fail "$1: no counter $2"
	elif ! test "$n" "$3" "$4"; then
		fail "$1: $2 is $n, not $3 $4"
	fi
}

# says WHAT TEXT: exactly one line of the library's, with TEXT.
says() {
	local n
	n=$(grep -c '^ptreclaim: ' "$tmp/err")
	if [ "$n" -ne 1 ]; then
		fail "$1: $n lines of the library's, not 1"
	elif ! grep '^ptreclaim: ' "$tmp/err" | grep -qF -- "$2"; then
		fail "$1: the line does not say '$2'"
	else
		ok
	fi
}

# silent WHAT: nothing of the library's.
silent() {
	if grep -q ptreclaim "$tmp/err"; then
		fail "$1: the library spoke"
	else
		ok
	fi
}

# backend NAME: does it do anything on this kernel?
backend_works() {
	"$cmd" probe 2>/dev/null | awk -v name="$1" '$1 == name { yes = $2 == "yes" } END { exit !yes }'
}
