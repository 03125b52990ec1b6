#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The library installed somewhere, and programs that are built against that with what pkg-config says:
# the command finds the library, a program has it serve one arena, the header is C and C++.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
needs make pkg-config timeout
cc=${CC:-cc}
have "${cc%% *}" || skip_all "no C compiler here"
[ ! -e "$src/config.status" ] || skip_all "the sources are configured where they are"
prefix=$tmp/prefix
conf=$(conf_of)

mkdir "$tmp/build"
# Where the library is, is compiled in.
# shellcheck disable=SC2016 # for that shell
step "configure --prefix" sh -c 'cd "$1" && "$2" -q --prefix="$3"' sh "$tmp/build" "$src/configure" "$prefix"
# Without the benches.
step "make install" make -C "$tmp/build" -j2 install noinst_PROGRAMS=
rm -r "$tmp/build"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

# From the installed place to the installed library, with nothing set.
step "ptreclaim run" "$prefix/bin/ptreclaim" run -c "$conf" -- cat /proc/self/maps
if grep -qF "$prefix/lib/libptreclaim.so.0" "$tmp/out"; then
	ok
else
	fail "ptreclaim run: the program does not have the installed library"
fi
same "the preload variable" "$prefix/lib/libptreclaim.so.0" "$(pkg-config --variable=preload ptreclaim)"
[ -e "$(pkg-config --variable=preload ptreclaim)" ] || fail "what the preload variable names is not there"
same "the version" "$("$prefix/bin/ptreclaim" -V | awk '{ print $2 }')" "$(pkg-config --modversion ptreclaim)"
same "what it requires" "" "$(pkg-config --print-requires ptreclaim)"

cp "$here/client.c" "$here/client.cc" "$tmp" && cd "$tmp" || exit 99
export LD_LIBRARY_PATH=$prefix/lib

# The header by itself, in the oldest languages.
echo '#include <ptreclaim.h>' >header.c
# shellcheck disable=SC2046,SC2086 # words on purpose, here and below
step "the header in C90" $cc -std=c90 -Wall -Wextra -Wstrict-prototypes -pedantic-errors -Werror \
	-fsyntax-only header.c $(pkg-config --cflags ptreclaim)
if have "${CXX:-g++}"; then
	cp header.c header.cc
	# shellcheck disable=SC2046
	step "the header in C++98" "${CXX:-g++}" -std=c++98 -Wall -Wextra -pedantic-errors -Werror \
		-fsyntax-only header.cc $(pkg-config --cflags ptreclaim)
	# shellcheck disable=SC2046
	step "a program in C++" "${CXX:-g++}" -o plain client.cc $(pkg-config --cflags --libs ptreclaim)
	stock env PTRECLAIM_CONF="$conf" ./plain
	verdict "a program without jemalloc"
	silent "a program without jemalloc"
else
	skip "no C++ compiler (package g++)"
fi

pkg-config --exists jemalloc || {
	skip "no jemalloc to link (package libjemalloc-dev)"
	finish
}

build() { # NAME MODULE...: a program linked with these, in this order
	local name=$1
	shift
	# shellcheck disable=SC2046,SC2086
	step "building $name" $cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -o "$name" client.c \
		$(pkg-config --cflags --libs "$@")
}

# falls WHAT: 128 MiB by 64 tables, of which hardly one may be left.
falls() {
	if ! awk '$1 == "full" { full = $2 } $1 == "flushed" { n++; if (full - $2 < 200) bad = 1 }
		END { exit bad || n < 3 }' "$tmp/out"; then
		fail "$1: VmPTE does not fall"
	else
		ok
	fi
}

# worker WHAT 0|1: three times of three, once in a child.
worker() {
	same "$1: the library's thread" "3 worker $2" "$(grep '^worker' "$tmp/out" | uniq -c | sed 's/^ *//')"
}

# Behind jemalloc: only what is named. The line that nothing is served is not for those that name arenas.
build behind jemalloc ptreclaim
if [ "$("$prefix/bin/ptreclaim" probe | awk '$2 == "yes" { n++ } END { print n + 0 }')" -eq 0 ]; then
	skip "no backend works on this kernel: VmPTE will not fall"
	falls() { :; }
fi
for bytes in 0 1000000 33554432; do
	stock env PTRECLAIM_CONF="$conf,batch_bytes:$bytes" ./behind serve $bytes
	verdict "a named arena, batch_bytes:$bytes" || continue
	falls "a named arena, batch_bytes:$bytes"
done
for more in "" keep_bytes:0 backend:remap; do
	stock env PTRECLAIM_CONF="$conf${more:+,$more}" ./behind serve
	verdict "a named arena, ${more:-by default}" || continue
	silent "a named arena, ${more:-by default}"
	falls "a named arena, ${more:-by default}"
	worker "a named arena, ${more:-by default}" 1
done
stock env PTRECLAIM_CONF="$conf" MALLOC_CONF=background_thread:true ./behind serve
verdict "a named arena, with jemalloc's own threads" && falls "a named arena, with jemalloc's own threads"
stock env PTRECLAIM_CONF="$conf,mode:observe" ./behind serve
verdict "a named arena, observed" && worker "a named arena, observed" 1
# The same program with the library in front.
stock env LD_PRELOAD="$prefix/lib/libptreclaim.so.0" PTRECLAIM_CONF="$conf" ./behind shared
verdict "preloaded as well" && falls "preloaded as well"

# Before it: all are.
build before ptreclaim jemalloc
stock env PTRECLAIM_CONF="$conf" ./before shared
verdict "all arenas" && falls "all arenas"
silent "all arenas"

# ENOTSUP and EOPNOTSUPP are one number here, and glibc knows it by the latter.
# result PROGRAM EXPECTED CONF MALLOC_CONF
result() {
	stock env PTRECLAIM_CONF="$conf,$3" MALLOC_CONF="$4" "./$1" result
	verdict "$1, $3 $4"
	same "$1, $3 $4: the result" "$2" "$(cat "$tmp/out")"
}
for program in before behind; do
	result $program 0 mode:on ""
	result $program 0 mode:observe ""
	result $program EPERM mode:off ""
	result $program EPERM rollout:0 ""
	result $program EOPNOTSUPP mode:on san_guard_large:1
	says "$program, guards" "left alone"
done
finish
