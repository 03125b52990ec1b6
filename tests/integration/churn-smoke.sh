#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# churn runs clean on glibc's malloc, on tcmalloc and on jemalloc, notices a broken zap, and writes
# valid JSON.
# Nothing here depends on how fast anything is.
set -u

top=${top_builddir:-.}
churn=$top/bench/churn
badzap=$top/tests/integration/.libs/badzap.so
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# run NAME EXPECTED-STATUS COMMAND...: the output stays in $out/NAME.
run() {
	local name=$1 expected=$2 status
	shift 2
	"$@" >"$out/$name" 2>"$out/$name.err"
	status=$?
	if [ "$status" -ne "$expected" ]; then
		fail "$name: exit status $status instead of $expected: $*"
		sed 's/^/  /' "$out/$name.err"
	else
		echo "ok: $name"
	fi
}

small=(--live 24M --ops 1500 --cycles 2 --trough-ms 0)

for profile in mixed small large burst; do
	for touch in dense sparse; do
		run "glibc-$profile-$touch" 0 "$churn" --profile "$profile" --touch "$touch" "${small[@]}"
	done
done
run glibc-threads 0 "$churn" --threads 8 "${small[@]}" --verify-all
run usage-profile 2 "$churn" --profile nonesuch
run usage-number 2 "$churn" --threads 0
run usage-overflow 2 "$churn" --live 99999999999999999999
run usage-operand 2 "$churn" operand

run json 0 "$churn" --json "${small[@]}"
if command -v jq >/dev/null; then
	jq -e '.checks > 0 and .floor_kb > 0 and (.troughs | length) == 2
	       and .waste_kb == ([.troughs[].waste_kb] | max)' "$out/json" >/dev/null ||
		fail "the JSON is not valid, or a member is not what it should be"
else
	echo "jq is missing: the JSON is not verified"
fi

# notices NAME COMMAND...: a mistake of badzap's must end in exit status 3.
notices() {
	local name=notices-$1
	shift
	run "$name" 3 "$@"
	grep -q 'CORRUPT' "$out/$name.err" || fail "$name: it does not say where"
}

# The first number that a member of the JSON in $out/NAME has.
member() {
	sed -n "/\"$2\":/{s/.*\"$2\": *\([0-9]*\).*/\1/p;q}" "$out/$1"
}

tcmalloc=libtcmalloc_minimal.so.4
if [ -n "$(LD_PRELOAD=$tcmalloc /bin/true 2>&1)" ]; then
	echo "SKIP: $tcmalloc is missing (package libtcmalloc-minimal4): tcmalloc was not tried"
else
	at_once=(env TCMALLOC_AGGRESSIVE_DECOMMIT=1)
	for profile in mixed small large burst; do
		run "tcmalloc-$profile" 0 "${at_once[@]}" LD_PRELOAD="$tcmalloc" \
			"$churn" --profile "$profile" --threads 3 "${small[@]}"
	done
	run tcmalloc-rate 0 env TCMALLOC_RELEASE_RATE=10 LD_PRELOAD="$tcmalloc" \
		"$churn" --touch sparse --json "${small[@]}"
	# It has no arenas: nothing is allowed for them.
	[ "$(member tcmalloc-rate target_kb)" = \
		$(($(member tcmalloc-rate floor_kb) / 20 + 64)) ] ||
		fail "tcmalloc-rate: the target is not 5% of the floor + 64 kB"
	for touch in dense sparse; do
		notices "tcmalloc-$touch" "${at_once[@]}" BADZAP=wide \
			LD_PRELOAD="$badzap:$tcmalloc" "$churn" --touch "$touch" "${small[@]}"
	done
	# Two settings and no third: the decay is not tcmalloc's.
	run tcmalloc-compare 0 "$top/bench/compare" --allocator tcmalloc --release aggressive,10 \
		--decay 0,100 --live 16M --cycles 1 --repeats 1 --json
	[ "$(grep -c '"allocator": "tcmalloc"' "$out/tcmalloc-compare")" -eq 2 ] ||
		fail "tcmalloc-compare: not two configurations of tcmalloc"
	if ! strace -f -c -o /dev/null /bin/true 2>/dev/null; then
		echo "SKIP: strace is missing or may not trace: stock's zaps are not counted"
	elif ! grep -q '"zap_calls": { "stock": [1-9]' "$out/tcmalloc-compare"; then
		fail "tcmalloc-compare: stock's zaps are not counted"
	fi
fi

[ "$failed" -eq 0 ] || exit 1
if [ ! -x "$churn-jemalloc" ]; then
	echo "SKIP: jemalloc is missing; glibc's malloc alone was tried"
	exit 77
fi

for decay in 0 100; do
	for profile in mixed small large burst; do
		run "jemalloc-$profile-decay$decay" 0 env MALLOC_CONF="dirty_decay_ms:$decay" \
			"$churn-jemalloc" --profile "$profile" --threads 3 "${small[@]}"
	done
done
run jemalloc-preloaded 0 env LD_PRELOAD=libjemalloc.so.2 "$churn" "${small[@]}" --touch sparse

# The checks themselves, on dense and on sparse blocks.
for how in wide none; do
	for touch in dense sparse; do
		notices "$how-$touch" env BADZAP="$how" LD_PRELOAD="$badzap" \
			MALLOC_CONF=dirty_decay_ms:0 "$churn-jemalloc" --touch "$touch" "${small[@]}"
	done
done
exit "$failed"
