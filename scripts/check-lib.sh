# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# check-lib.sh - how scripts/check runs and counts tests; sourced, in the top of the tree.
# Uses $top, $work (the trees and logs) and $jobs.
: "${top:?}" "${work:?}" "${jobs:?}"

# timeout puts its command into a group of its own, which an interrupt does not reach.
running=
trap '[ -z "$running" ] || kill "$running"; exit 130' INT TERM HUP

test_timeout=${TEST_TIMEOUT:-600} # seconds, for each test
passed=0 failed=0 skipped=0
failures=()

pass() {
	passed=$((passed + 1))
	echo "PASS: $1"
}

skip() { # NAME REASON
	skipped=$((skipped + 1))
	echo "SKIP: $1: ${2:-no reason given}"
}

fail() { # NAME REASON [LOG]
	failed=$((failed + 1))
	failures+=("$1: $2")
	echo "FAIL: $1: $2${3:+ (see ${3#"$top"/})}"
	[ -z "${3:-}" ] || [ ! -s "$3" ] || tail -n "${TAIL:-25}" "$3" | sed 's/^/    | /'
}

have() {
	command -v "$1" >/dev/null 2>&1
}

logname() {
	echo "$work/log/$(tr -c 'A-Za-z0-9._\n-' '_' <<<"$1").log"
}

# The last line of a log that says something, without what the test driver adds below it.
last_word() {
	grep -v '^[A-Z]* .* (exit status: [0-9]*)$' "$1" 2>/dev/null |
		grep -v '^\(==[0-9]*==\)\{0,1\}[[:space:]=]*$' | tail -n 1
}

reason_of() {
	last_word "$1" | sed 's/^SKIP: *//' | cut -c 1-120
}

# verdict NAME STATUS LOG: a command's exit status as a test's result.
verdict() {
	case $2 in
	0) pass "$1" ;;
	77) skip "$1" "$(reason_of "$3")" ;;
	124 | 137) fail "$1" "took too long" "$3" ;;
	*) fail "$1" "exit status $2" "$3" ;;
	esac
}

# try NAME COMMAND...: one test that is a command.
try() {
	local name=$1 log
	shift
	log=$(logname "$name")
	"$@" >"$log" 2>&1 </dev/null
	verdict "$name" $? "$log"
}

# quiet NAME COMMAND...: the same, and any output is a failure too.
quiet() {
	local name=$1 log status
	shift
	log=$(logname "$name")
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	if [ $status -eq 0 ] && [ -s "$log" ]; then
		fail "$name" "printed something" "$log"
	else
		verdict "$name" $status "$log"
	fi
}

# try_each LABEL COMMAND... -- FILE...: one test for each file, $jobs at a time.
try_each() {
	local label=$1 command=() file status dir
	shift
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	shift
	if [ $# -eq 0 ]; then
		skip "$label" "there are no files for it"
		return
	fi
	dir=$(mktemp -d) || return
	# shellcheck disable=SC2016 # expanded by the inner shell
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" sh -c '
		dir=$1 && shift
		for file; do :; done # the last one
		out=$dir/$(echo "$file" | tr / +)
		"$@" >"$out.log" 2>&1 </dev/null
		echo $? >"$out.status"
	' sh "$dir" "${command[@]}"
	for file; do
		status=$(cat "$dir/${file//\//+}.status" 2>/dev/null)
		mv "$dir/${file//\//+}.log" "$(logname "$label $file")" 2>/dev/null
		verdict "$label: $file" "${status:-1}" "$(logname "$label $file")"
	done
	rm -rf "$dir"
}

part() { # TITLE FUNCTION [ARGUMENT...]
	local start=$SECONDS title=$1
	shift
	echo
	echo "== $title"
	"$@"
	echo "-- $title: $((SECONDS - start)) s"
}

# Everything of the project, also what is not yet committed; outside of git all but what autoreconf
# makes. Nothing found would be nothing checked, so that is an error.
list_files() {
	if [ -e .git ]; then
		git -c safe.directory='*' ls-files --cached --others --exclude-standard
	else
		find . -name 'build*' -prune -o -name autom4te.cache -prune -o -type f -print |
			sed 's|^\./||' |
			grep -vE '^(configure~?|aclocal\.m4|config\.h\.in~?|Makefile\.in|m4/(lt.*|libtool)\.m4|INSTALL)$'
	fi | sort -u
}

mapfile -t all_files < <(list_files)
if [ ${#all_files[@]} -eq 0 ]; then
	echo "check: cannot list the files of this tree" >&2
	exit 1
fi

# files [PATTERN...]: those that match one; * also matches slashes.
files() {
	local file pattern
	[ $# -gt 0 ] || set -- '*'
	for file in "${all_files[@]}"; do
		[ -f "$file" ] || continue
		for pattern; do
			# shellcheck disable=SC2053 # it is a pattern
			if [[ $file == $pattern ]]; then
				echo "$file"
				break
			fi
		done
	done
}

# c_sources EXTENSION...: of everything but the kernel's part, which has a style of its own.
c_sources() {
	local dir ext patterns=()
	for dir in lib hooks tools bench tests; do
		for ext; do
			patterns+=("$dir/*.$ext")
		done
	done
	files "${patterns[@]}"
}

# --- trees ---------------------------------------------------------------------------------------

# tree NAME ARGUMENT...: build/check/NAME, configured; done again only if something changed.
tree() {
	local dir=$work/$1
	shift
	mkdir -p "$dir"
	if [ ! -e "$dir/Makefile" ] || [ "$top/configure" -nt "$dir/config.status" ] ||
		[ "$top/build/setup.signature" -nt "$dir/config.status" ] ||
		[ "$*" != "$(cat "$dir/check.arguments" 2>/dev/null)" ]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		(cd "$dir" && "$top/configure" -q "$@") || return 1
		echo "$*" >"$dir/check.arguments"
	fi
}

# make_value TREE EXPRESSION: what it expands to in the tree's Makefile, one word a line.
make_value() {
	printf 'include Makefile\nptr-print-value: ; @printf "%%s\\n" %s\n' "$2" |
		make -C "$1" -f - --no-print-directory -s ptr-print-value 2>/dev/null | sed '/^$/d'
}

unit_tests() { # TREE: the programs (a script would run under the tool, not its program)
	# shellcheck disable=SC2016 # expanded by make
	make_value "$1" '$(filter-out %.sh,$(filter tests/unit/%,$(TESTS)))' | tr '\n' ' '
}

# tests_in LABEL TREE TARGETS TESTS [WORD...]: build TARGETS, run TESTS with automake's driver, count
# each from its .trs. What does not build fails and keeps nothing else from running. Words with a
# "=" before any other are make's, the rest is a command to start make with.
tests_in() {
	local label=$1 dir=$2 targets=$3 tests=$4 log trs test result line status
	local runnable=() settings=() reported=no tool
	shift 4
	# A test that hangs must not take the others along.
	# shellcheck disable=SC2016 # expanded by make
	tool=$(make_value "$dir" '$(LOG_COMPILER)' | tr '\n' ' ')
	settings=("LOG_COMPILER=timeout -k 10 $test_timeout $tool")
	while [[ ${1:-} == *=* ]]; do
		settings+=("${1/#LOG_COMPILER=/LOG_COMPILER=timeout -k 10 $test_timeout }")
		shift
	done

	log=$(logname "$label build")
	# shellcheck disable=SC2086 # a list of words
	make -C "$dir" -k -j"$jobs" $targets >"$log" 2>&1 </dev/null ||
		fail "$label: build" "make failed" "$log"
	for test in $tests; do
		trs_of "$dir" "$test"
		rm -f "$trs" "${trs%.trs}.log"
		# An old program must not stand in for one that does not compile any more. Not asked by -q:
		# config.h is older than its stamp for good.
		if make -C "$dir" "$test" >/dev/null 2>&1 </dev/null; then
			runnable+=("$test")
		else
			fail "$label: $test" "was not built"
		fi
	done
	[ ${#runnable[@]} -gt 0 ] || return

	log=$(logname "$label")
	# check_PROGRAMS: all of them are prerequisites of the target, but not all may exist.
	timeout -k 30 "${CHECK_TIMEOUT:-1800}" "$@" \
		make -C "$dir" -k -j"$jobs" check-TESTS check_PROGRAMS= check_LTLIBRARIES= \
		TESTS="${runnable[*]}" "${settings[@]}" >"$log" 2>&1 </dev/null &
	running=$!
	wait $running
	status=$?
	running=
	for test in "${runnable[@]}"; do
		trs_of "$dir" "$test"
		if ! grep -qs '^:test-result:' "$trs"; then
			reported=yes
			if [ $status -eq 124 ] || [ $status -eq 137 ]; then
				fail "$label: $test" "not finished when time was up" "${trs%.trs}.log"
			else
				fail "$label: $test" "has no result" "$log"
			fi
			continue
		fi
		while read -r _ result line; do
			[ "$result" = PASS ] || [ "$result" = SKIP ] || reported=yes
			# Only TAP tests have names within the test.
			count "$label: $test${line:+ $line}" "$result" "${trs%.trs}.log"
		done < <(grep '^:test-result:' "$trs")
	done
	# make failed, yet no test did: something else is wrong.
	if [ $status -ne 0 ] && [ $reported = no ]; then
		fail "$label" "make ended with status $status" "$log"
	fi
}

trs_of() { # TREE TEST -> trs
	trs=$1/${2%.test}.trs
	# With .sh among TEST_EXTENSIONS the log loses it.
	[ -e "$trs" ] || trs=$1/${2%.sh}.trs
}

count() { # NAME RESULT LOG
	local left_out last
	case $2 in
	PASS)
		last=$(last_word "$3")
		if [[ $last == SKIP:* ]]; then
			# It left out what it was for and forgot to say 77.
			skip "$1" "${last#SKIP: }"
			return
		fi
		pass "$1"
		while IFS= read -r left_out; do
			skip "$1: part" "$left_out"
		done < <(
			sed -n 's/^SKIP: *//p' "$3"
			sed -n 's/^\[  SKIPPED \] \([A-Za-z_][A-Za-z0-9_]*\)$/\1/p' "$3" | sort -u
		)
		;;
	SKIP) skip "$1" "$(reason_of "$3")" ;;
	XFAIL) fail "$1" "expected failures are not accepted here" "$3" ;;
	*)
		if grep -qE '^[A-Z]+ .* \(exit status: (124|137)\)$' "$3"; then
			fail "$1" "not finished after $test_timeout s" "$3"
		else
			fail "$1" "$(reason_of "$3")" "$3"
		fi
		;;
	esac
}
