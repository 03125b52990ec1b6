#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# churn runs clean on glibc's malloc and on jemalloc, notices a broken zap, and writes valid JSON.
# Nothing here depends on how fast anything is.
set -u

top=${top_builddir:-.}
churn=$top/bench/churn
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

# The checks themselves: each mistake must end in exit status 3, on dense and on sparse blocks.
badzap=$top/tests/integration/.libs/badzap.so
for how in wide none; do
	for touch in dense sparse; do
		run "notices-$how-$touch" 3 env BADZAP="$how" LD_PRELOAD="$badzap" \
			MALLOC_CONF=dirty_decay_ms:0 "$churn-jemalloc" --touch "$touch" "${small[@]}"
		grep -q 'CORRUPT' "$out/notices-$how-$touch.err" ||
			fail "notices-$how-$touch: it does not say where"
	done
done
exit "$failed"
