#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bench/compare's suites: a run in small, its results file, the page that is made of it; what it says to
# bad options. README.md says what the newest results say. No figure is asserted.
. "${srcdir:-.}/tests/integration/lib.sh"

source=$(cd "${srcdir:-.}" && pwd) || exit 99
compare=$top/bench/compare
[ -x "$compare" ] || skip_all "no bench/compare here"
[ -e "$lib" ] || skip_all "$lib is not built"

tiny=(--live 8M --repeats 2 --no-syscalls)

# usage WHAT OPTION...
usage() {
	local what=$1
	shift
	stock "$compare" "$@"
	if [ "$status" -ne 2 ]; then
		fail "$what: exit status $status, not 2"
	else
		ok
	fi
}
usage "no such suite" --suite nonesuch
usage "no such peer" --suite dense --peers nonesuch
usage "half a peer" --suite dense --peer "name"
usage "a peer's variable without a value" --suite dense --peer "name=lib.so;VAR"
usage "a name twice" --suite dense --peer "glibc=lib.so"
usage "no such base" --suite dense --peers glibc --base jemalloc
usage "results of pairs" --save="$tmp/results"

if ! have jq; then
	skip "jq is missing: no results were looked at"
	finish
fi

# Peers in rounds; one that is not there is left out with a line, and takes nobody with it.
stock "$compare" --suite small --peers glibc,jemalloc-0,jemalloc-0+ptreclaim "${tiny[@]}" \
	--peer "none=/nonexistent.so;VAR=1" --peer "local=libjemalloc.so.2;MALLOC_CONF=dirty_decay_ms:5" \
	--save="$tmp/results"
if verdict "suite small"; then
	[ "$(grep -c 'none is left out' "$tmp/err")" -eq 1 ] ||
		fail "suite small: not one line about the peer that is missing"
	grep -q '^  jemalloc-0+ptreclaim .* x [0-9.]* .* x [0-9.]* ' "$tmp/out" ||
		fail "suite small: no ratios to the base and to its own stock"
fi
file=$(echo "$tmp"/results/*.json)
# A median here is one of compare's and one of jq's: they have to agree.
if [ ! -e "$file" ]; then
	fail "no file of results"
elif ! jq -e '.schema == 1 and (.date | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")) and .cpus > 0 and
	      .memory_kb > 0 and (.kernel | length > 0) and .versions.ptreclaim != null and
	      ([.peers[].name] == ["glibc", "jemalloc-0", "jemalloc-0+ptreclaim", "local"]) and
	      .peers[3].environment == {"MALLOC_CONF": "dirty_decay_ms:5"} and
	      ([.runs[] | select(.timed)] | length) == 8 and
	      (.runs | all(.suite == "churn" and .part == "small" and .profile == "small")) and
	      ([.runs[] | select(.timed) | .repeat] | unique == [0, 1]) and
	      ([.runs[] | select(.timed) | .ops_per_s] | all(. > 0)) and
	      (.runs | all((keys | length) == (keys | unique | length)))' "$file" >"$tmp/said"; then
	fail "the results are not what they should be"
else
	ok
fi
# The order rotates.
order=$(jq -r '[.runs[] | select(.timed and .repeat == 1)][0].peer' "$file")
[ "$order" = jemalloc-0 ] || fail "the second round begins with $order, not with jemalloc-0"
goal=$(jq '.goals[] | select(.name | test("small, ops/s")) | .value' "$file")
page=$(jq -L "$source/bench" 'include "results"; rows[] | .peers[] |
	select(.peer == "jemalloc-0+ptreclaim") | .ratio.median' "$file")
if ! jq -n -e "($goal - $page) | fabs < 1e-6" >/dev/null; then
	fail "compare's ratio is $goal and results.jq's is $page"
else
	ok
fi

# The page.
stock "$source/bench/report" "$file" "$tmp/page.html"
if [ "$status" -eq 77 ]; then
	skip "$(tail -n 1 "$tmp/out"): no page was made"
elif verdict "report"; then
	[ "$(grep -c '<svg' "$tmp/page.html")" -ge 2 ] || fail "report: fewer than two plots"
	grep -q 'Peers take turns' "$tmp/page.html" || fail "report: no heading"
	grep -q '<td>jemalloc-0+ptreclaim</td>' "$tmp/page.html" || fail "report: no table"
	grep -Eq '<(script|link|img)|https?://[^w]' "$tmp/page.html" &&
		fail "report: it is to stand alone"
fi
stock "$source/bench/report" "$source/bench/report"
[ "$status" -eq 1 ] || fail "report: it took a script for results"

# Nobody types figures.
stock "$source/scripts/readme-figures" --check
case $status in
77) skip "$(tail -n 1 "$tmp/out")" ;;
*) verdict "README.md" ;;
esac
cp -r "$source/scripts" "$source/README.md" "$tmp"
mkdir -p "$tmp/bench"
cp "$source/bench/results.jq" "$tmp/bench"
chmod -R u+w "$tmp"
stock "$tmp/scripts/readme-figures" "$file"
verdict "readme-figures"
grep -q '^| decay 0, touched wholly | – |' "$tmp/README.md" ||
	fail "readme-figures: what was not measured is not a dash"
stock "$tmp/scripts/readme-figures" --check "$file"
verdict "readme-figures --check of what it wrote"
echo '<!-- figures:machine begin -->' >>"$tmp/README.md"
stock "$tmp/scripts/readme-figures" --check "$file"
[ "$status" -eq 1 ] || fail "readme-figures: a marker without an end is not noticed"
finish
