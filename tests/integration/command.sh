#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The command from outside: every subcommand, its output, its exit status, what it says of nonsense.
# Runs in the build directory, as make check does, or with top_builddir set.
set -u

top=$(cd "${top_builddir:-.}" && pwd) || exit 99
cmd=$top/tools/ptreclaim
lib=$top/hooks/.libs/libptreclaim.so
[ -x "$cmd" ] || { echo "skip: $cmd is not built"; exit 77; }
[ -e "$lib" ] || { echo "skip: $lib is not built"; exit 77; }
[ -x "$top/tests/integration/waster" ] || { echo "skip: waster is not built"; exit 77; }
[ -r /proc/self/pagemap ] || { echo "skip: no readable /proc/self/pagemap"; exit 77; }

tmp=$(mktemp -d) || exit 99
sleeper='' few='' many=''
cleanup() {
	for pid in $sleeper $few $many; do
		kill "$pid" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 99' HUP INT TERM
unset LD_PRELOAD PTRECLAIM_CONF PTRECLAIM_LIB
export LC_ALL=C

failed=0
fail() {
	echo "FAIL: $*"
	sed 's/^/  stdout: /' "$tmp/out"
	sed 's/^/  stderr: /' "$tmp/err"
	failed=$((failed + 1))
}

# expect STATUS ARGS...: run the command; its output is in $tmp/out and $tmp/err.
expect() {
	want=$1
	shift
	"$cmd" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" = "$want" ] || fail "exit $got, not $want: ptreclaim $*"
}

# complains STATUS TEXT ARGS...: nothing on stdout, one line with TEXT on stderr.
complains() {
	status=$1 text=$2
	shift 2
	expect "$status" "$@"
	[ ! -s "$tmp/out" ] || fail "output with an error: ptreclaim $*"
	[ "$(wc -l <"$tmp/err")" -eq 1 ] || fail "not one line: ptreclaim $*"
	case $(cat "$tmp/err") in
	"ptreclaim: "*"$text"*) ;;
	*) fail "no '$text' in the complaint: ptreclaim $*" ;;
	esac
}

# output TEXT: what the last command printed, exactly.
output() {
	printf '%s\n' "$1" >"$tmp/want"
	cmp -s "$tmp/want" "$tmp/out" || fail "expected: $1"
}

# json FILTER: the last output is one JSON value for which the filter says true.
if command -v jq >/dev/null; then
	json() {
		[ "$(jq -s "length == 1 and (.[0] | $1)" "$tmp/out" 2>&1)" = true ] ||
			fail "JSON is not $1"
	}
else
	echo "note: no jq, JSON is not looked at"
	json() { :; }
fi

# --- help, version, nonsense

for args in --help -h "floor --help" "scan -h" "probe -h" "run -h" "run -c a:b --help"; do
	# shellcheck disable=SC2086 # words on purpose
	expect 0 $args
	for word in run floor scan probe; do
		grep -q "ptreclaim $word" "$tmp/out" || fail "no $word in: ptreclaim $args"
	done
	[ ! -s "$tmp/err" ] || fail "complaint in: ptreclaim $args"
done
expect 0 --version
grep -qx 'ptreclaim [0-9][0-9.]*' "$tmp/out" || fail "no version"

complains 2 "no subcommand"
complains 2 "'bogus'" bogus
complains 2 "--bogus" --bogus
complains 2 "-x" -x
complains 2 "--bogus" scan --bogus
complains 2 "--json=yes" probe --json=yes
complains 2 "-x" floor -x 1
complains 2 "no PID" floor
complains 2 "one PID" floor 1 2
complains 2 "'extra'" scan extra
complains 2 "'extra'" probe extra
complains 2 "-n" scan -n
for n in 0 -1 x 3x "" 99999999999999999999; do
	complains 2 "'$n'" scan -n "$n"
done
complains 2 "no command" run
complains 2 "no command" run --
complains 2 "no command" run -c mode:off
complains 2 "-c" run -c

# --- floor

sleep 1000 &
sleeper=$!
# The shell's child until it has called exec.
tries=0
while [ "$(cat "/proc/$sleeper/comm")" != sleep ] && [ $tries -lt 1000 ]; do
	tries=$((tries + 1))
done

expect 0 floor "$sleeper"
[ "$(head -n 1 "$tmp/out" | tr -s ' ')" = " PID COMM VIRT RSS VmPTE floor waste" ] ||
	fail "another header"
awk -v pid="$sleeper" 'NR == 2 && $1 == pid && $2 == "sleep" && $3 > $4 && $4 > 0 && $5 > 0 &&
	$6 > 0 && $7 == $5 - $6 { ok = 1 } END { exit !(ok && NR == 2) }' "$tmp/out" ||
	fail "the row of a sleeping process"
for option in --json -j; do
	expect 0 floor $option "$sleeper"
	json ".pid == $sleeper and .comm == \"sleep\" and .waste_kb == .vmpte_kb - .floor_kb"
	json '.virt_kb > .rss_kb and .regions > 0 and .pmd_tables >= 0 and .vmas > 5'
done
expect 0 floor "$sleeper" --json
json '.pid > 0'

for pid in abc 0 -1 -- -12 "" " 1" +1 1x 0x10 99999999 99999999999999999999; do
	[ "$pid" = -- ] || complains 1 "$pid" floor "$pid"
done
complains 1 "'-1'" floor --json -- -1
sh -c exit &
dead=$!
wait "$dead"
complains 1 "$dead: no such process" floor "$dead"
kthread=2
[ "$(cat /proc/$kthread/comm 2>/dev/null)" != kthreadd ] ||
	complains 1 "no address space" floor $kthread

# Tables that map nothing are waste, table by table.
table=$(($(getconf PAGESIZE) / 1024))
waste() { # waste N: sets pid to a process with N such tables
	: >"$tmp/ready"
	"$top/tests/integration/waster" "$1" <"$tmp/hold" >"$tmp/ready" 3>&- &
	pid=$!
	while ! grep -q ready "$tmp/ready" && kill -0 $pid; do
		sleep 0.01
	done
}
mkfifo "$tmp/hold"
exec 3<>"$tmp/hold"
waste 500
few=$pid
waste 600
many=$pid
for n in 500 600; do
	[ $n = 500 ] && pid=$few || pid=$many
	expect 0 floor "$pid"
	# The table above the regions may be counted, too, if there is nothing else below it.
	awk -v least=$((n * table)) -v most=$(((n + 4) * table)) \
		'NR == 2 { exit !($7 >= least && $7 <= most && $7 == $5 - $6) }' "$tmp/out" ||
		fail "the waste of $n tables"
done

# --- scan

expect 0 scan
awk -v first="$many" -v second="$few" '$1 == first { a = NR } $1 == second { b = NR }
	END { exit !(a && a < b) }' "$tmp/out" || fail "the higher waste is not the higher row"
awk -v pid="$sleeper" '
	NR == 1 { if ($1 != "PID" || $NF != "waste") bad = "header"; next }
	$1 == "total" { total = $2; sum = $NF; next }
	total { bad = "a line behind the totals" }
	NR > 2 && $NF > last { bad = "order" }
	{ last = $NF; waste += $NF; n++ }
	$1 == pid { seen = 1 }
	END {
		if (!seen) bad = "the sleeping process is missing"
		if (total != n || sum != waste) bad = "totals"
		if (bad) { print bad; exit 1 }
	}' "$tmp/out" || fail "the table of all processes"
grep -qE '^ *2 kthreadd' "$tmp/out" && fail "a kernel thread in the table"
expect 0 scan -n 1
[ "$(wc -l <"$tmp/out")" -eq 3 ] || fail "scan -n 1 is not header, row, totals"
expect 0 scan --json
json '.processes | length > 1'
json '[.processes[].waste_kb] | . == (sort | reverse)'
json ".processes | any(.pid == $sleeper and .comm == \"sleep\")"
json '.totals.waste_kb == ([.processes[].waste_kb] | add)'
json '.totals.processes == (.processes | length) and (.unreadable | type) == "array"'
expect 0 scan --json --top 2
json '(.processes | length) == 2 and .totals.processes >= 2'

# A name that is neither UTF-8 nor fit for a terminal or for JSON.
mkdir "$tmp/bin"
cp "$(command -v sleep)" "$tmp/bin/$(printf 'a"\\\033[2J\377\n')" 2>/dev/null && {
	"$tmp/bin/$(printf 'a"\\\033[2J\377\n')" 1000 3>&- &
	odd=$!
	tries=0
	while [ "$(head -c 1 "/proc/$odd/comm")" != a ] && [ $tries -lt 1000 ]; do
		tries=$((tries + 1))
	done
	expect 0 floor --json $odd
	json '.comm == "a\"\\\u001b[2J\ufffd"'
	expect 0 floor $odd
	grep -qF ' a"\?[2J? ' "$tmp/out" || fail "an odd name in the table"
	kill $odd
}

# Without rights others are counted and named, and the rest is there.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs" &&
	$nobody "$cmd" --version >/dev/null 2>&1; then
	$nobody "$cmd" scan --json >"$tmp/out" 2>"$tmp/err" || fail "scan without rights"
	grep -qE '^ptreclaim: scan: [0-9]+ process(es)? could not be read: [0-9]+ \(' "$tmp/err" ||
		fail "the closing line"
	[ "$(wc -l <"$tmp/err")" -eq 1 ] || fail "more than a closing line"
	json ".unreadable | any(.pid == $sleeper and .comm == \"sleep\" and .error != \"\")"
	json ".processes | all(.pid != $sleeper)"
	$nobody "$cmd" floor "$sleeper" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 1 ] || fail "floor without rights"
	grep -q "$sleeper: not allowed" "$tmp/err" || fail "floor without rights does not say so"
else
	echo "note: cannot drop rights, unreadable processes are not looked at"
fi

# --- probe

expect 0 probe
grep -q "^kernel  *$(uname -r)\$" "$tmp/out" || fail "another kernel"
grep -q "^page size  *$(getconf PAGESIZE) bytes\$" "$tmp/out" || fail "another page size"
for what in pt_reclaim dontneed remap process_madvise psi VmPTE; do
	grep -qE "^$what  *(yes|no)\$" "$tmp/out" || fail "no $what"
done
grep -q '^VmPTE  *yes' "$tmp/out" || fail "VmPTE cannot be read"
# A table goes with its mapping on any kernel.
grep -q '^remap  *yes' "$tmp/out" || fail "remap frees nothing"
expect 0 probe --json
json ".kernel == \"$(uname -r)\" and .vmpte == true and .backends.remap == true"
json '.region_size == .page_size * .page_size / 8'
json '[.backends[], .process_madvise, .psi] | all(type == "boolean")'
json 'if .backends.pt_reclaim then .auto == "pt_reclaim" elif .backends.dontneed
	then .auto == "dontneed" else .auto == "remap" end'

# --- run

# shellcheck disable=SC2016 # expanded by the shell that is run
show='printf "%s|%s" "${LD_PRELOAD-unset}" "${PTRECLAIM_CONF-unset}"; for a; do printf "|%s" "$a"; done; echo'
expect 0 run sh -c "$show" sh "two words" "" '*' "it's" -- -c
output "$lib|unset|two words||*|it's|--|-c"
expect 0 run -- sh -c "$show" sh
output "$lib|unset"
expect 0 run -c mode:off,backend:none -- sh -c "$show" sh
output "$lib|mode:off,backend:none"
expect 0 run --conf "rollout_salt:a b" sh -c "$show" sh
output "$lib|rollout_salt:a b"
grep -q ptreclaim "$tmp/err" && fail "run says something of its own"
# The library is mapped into the program.
expect 0 run grep -c libptreclaim /proc/self/maps

# What was there stays: any library will do for a neighbour.
libc=$(awk '$6 ~ /\/libc[.-].*so/ { print $6; exit }' /proc/$$/maps)
if [ -n "$libc" ]; then
	LD_PRELOAD=$libc PTRECLAIM_CONF=mode:observe "$cmd" run -c mode:on sh -c "$show" sh \
		>"$tmp/out" 2>"$tmp/err" || fail "run with variables set"
	output "$libc:$lib|mode:observe,mode:on"
fi
LD_PRELOAD='' PTRECLAIM_CONF='' "$cmd" run -c mode:on sh -c "$show" sh >"$tmp/out" 2>"$tmp/err"
output "$lib|mode:on"
PTRECLAIM_CONF=mode:observe "$cmd" run sh -c "$show" sh >"$tmp/out" 2>"$tmp/err"
output "$lib|mode:observe"

# Another library: absolute, relative, missing, with a name that cannot be preloaded.
cp -L "$lib" "$tmp/other.so"
mkdir "$tmp/a b"
cp -L "$lib" "$tmp/a b/other.so"
export PTRECLAIM_LIB="$tmp/other.so"
expect 0 run sh -c "$show" sh
output "$tmp/other.so|unset"
(cd "$tmp" && PTRECLAIM_LIB=other.so "$cmd" run sh -c "$show" sh) >"$tmp/out" 2>"$tmp/err"
output "$(cd -P "$tmp" && pwd -P)/other.so|unset"
PTRECLAIM_LIB=$tmp/none.so
complains 125 "$tmp/none.so" run true
PTRECLAIM_LIB="$tmp/a b/other.so"
complains 125 "$tmp/a b/other.so" run true
unset PTRECLAIM_LIB

# The command's own exit status, and those of env(1).
expect 7 run sh -c 'exit 7'
complains 127 "no-such-command: No such file" run no-such-command
complains 127 "$tmp/no/such" run -- "$tmp/no/such"
complains 126 "$tmp: " run "$tmp"
echo 'exit 5' >"$tmp/not-executable"
complains 126 "Permission denied" run "$tmp/not-executable"

# --- output that cannot be written

if [ -w /dev/full ]; then
	for args in "floor $sleeper" scan probe --help --version; do
		# shellcheck disable=SC2086 # words on purpose
		"$cmd" $args >/dev/full 2>"$tmp/err"
		[ $? -eq 1 ] || fail "a full disk goes unnoticed: ptreclaim $args"
		grep -q "No space left" "$tmp/err" || fail "a full disk goes unsaid: ptreclaim $args"
	done
fi

[ $failed -eq 0 ] || echo "$failed failed"
[ $failed -eq 0 ]
