#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Switched off on tcmalloc: it behaves as it does alone, by mode, by rollout, and while the kill file
# exists.
# shellcheck source=tclib.sh
. "$(dirname "$0")/tclib.sh"
# shellcheck source=killfile.sh
. "$(dirname "$0")/killfile.sh"
needs tcprobe tchammer timeout
needs_tcmalloc
LIMIT=60

traced=no
if have strace && timeout 20 strace -f -qq -o "$tmp/trace" -e trace=madvise true 2>/dev/null; then
	traced=yes
else
	skip "no strace: system calls are not compared"
fi

# Where addresses do not change from run to run, neither do best fits.
fixed=()
if have setarch && setarch -R true 2>/dev/null; then
	fixed=(setarch -R)
else
	skip "no setarch -R: tcmalloc's own numbers and system calls are not compared"
fi

# The zaps that a run of the same work makes, without addresses.
zaps() { # LD_PRELOAD CONF
	timeout "$LIMIT" env "${setting[@]}" strace -f -qq -o "$tmp/trace" \
		-e trace=madvise,process_madvise,clone,clone3,mremap -E LD_PRELOAD="$1" \
		-E PTRECLAIM_CONF="$(conf_of "$2")" "${fixed[@]}" "$progs/tchammer" -n 200 -s 5 \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
	# A call that another thread's came in between of has two lines.
	awk '/ resumed>/ { next }
		/madvise/ { n++; if (split($0, part, ", ") > 1) bytes += part[2] }
		/process_madvise|clone/ { other++ }
		END { print n + 0, bytes + 0, other + 0 }' "$tmp/trace" >"$tmp/zaps"
}

# alike FILE: the zaps in it and the last, within what other addresses make of a best fit; and no other
# calls.
alike() {
	cat "$1" "$tmp/zaps" | awk '{ n[NR] = $1; bytes[NR] = $2; other[NR] = $3 }
		function near(a, b) { return a <= b * 1.1 + 2 && b <= a * 1.1 + 2 }
		END { exit !(near(n[1], n[2]) && near(bytes[1], bytes[2]) && other[1] == other[2]) }'
}

for build in "${builds[@]}"; do
	file=$(file_of "$build")
	for how in aggressive default; do
		setting_of $how
		name="$build, $how"
		tc_stock "$build" "${setting[@]}" "${fixed[@]}" "$progs/tcprobe" theirs
		verdict "$name, stock" || continue
		cp "$tmp/out" "$tmp/theirs"
		tc_stock "$build" "${setting[@]}" "$progs/tcprobe" threads
		[ "$(cat "$tmp/out")" = 1 ] || fail "$name, stock: more than one thread"
		if [ $traced = yes ]; then
			zaps "$file" ""
			verdict "$name, stock, traced"
			cp "$tmp/zaps" "$tmp/stock-zaps"
		fi
		for conf in mode:off rollout:0 mode:off,verbose:true,stats_print:true; do
			tc_under "$build" $conf "${setting[@]}" "$progs/tcprobe" threads
			verdict "$name, $conf"
			[ "$(cat "$tmp/out")" = 1 ] || fail "$name, $conf: a thread"
			case $conf in
			*verbose*) says "$name, $conf" "mode off (mode:off in PTRECLAIM_CONF)" ;;
			*) silent "$name, $conf" ;;
			esac
			[ ${#fixed[@]} -gt 0 ] || continue
			tc_under "$build" $conf "${setting[@]}" "${fixed[@]}" "$progs/tcprobe" theirs
			diff "$tmp/theirs" "$tmp/out" >"$tmp/err" ||
				fail "$name, $conf: tcmalloc's own numbers differ"
			[ $traced = yes ] || continue
			zaps "$lib:$file" $conf
			alike "$tmp/stock-zaps" ||
				fail "$name, $conf: other system calls: $(cat "$tmp/zaps"), not $(cat "$tmp/stock-zaps")"
		done
		# What is compared can be seen: with the library on it differs.
		tc_under "$build" "" "${setting[@]}" "$progs/tcprobe" threads
		[ "$(cat "$tmp/out")" = 2 ] || fail "$name: no flusher where there should be one"
		if [ $traced = yes ] && [ $how = aggressive ]; then
			[ "$(cut -d' ' -f1 "$tmp/stock-zaps")" -gt 20 ] || fail "$name: stock hardly zaps"
			zaps "$lib:$file" ""
			! alike "$tmp/stock-zaps" ||
				fail "$name: the same system calls with the library on"
		fi
	done

	# --- observe: counts, changes nothing
	setting_of aggressive
	tc_under "$build" mode:observe,stats_print:true "${setting[@]}" \
		"$progs/tchammer" -t 2 -n 200
	verdict "$build: mode:observe"
	expect "$build: mode:observe" released -gt 0
	expect "$build: mode:observe" declined -eq "$(counter released)"
	expect "$build: mode:observe" deferred -eq 0
	expect "$build: mode:observe" zapped -eq 0
	tc_under "$build" mode:observe "${setting[@]}" "$progs/tcprobe" threads
	[ "$(cat "$tmp/out")" = 2 ] || fail "$build: mode:observe: not one thread more"
done

# --- the kill file, while the program runs

kill_file_works "${setting[@]}" LD_PRELOAD="$lib:$(file_of "${builds[0]}")" \
	"$progs/tchammer" -t 2 -n 200 -I
echo "$SECONDS s"
finish
