#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian's packages: built from what git knows of this tree, judged by lintian, looked into, unpacked
# beside the system and used.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
LIMIT=${LIMIT_DEB:-500}
needs dpkg-buildpackage dpkg-checkbuilddeps dpkg-shlibdeps dh lintian git tar timeout
[ -e "$src/debian/control" ] || skip_all "debian/ is not part of this tree"

files() {
	git -c safe.directory='*' -C "$src" ls-files -z --cached --others --exclude-standard
}
files >"$tmp/files" 2>"$tmp/err" || skip_all "not in git, so what belongs to the sources cannot be told"
cd "$src" || exit 99
dpkg-checkbuilddeps >"$tmp/out" 2>&1 || skip_all "$(tail -n 1 "$tmp/out")"

# In a folder of its own: packages end up beside the sources.
mkdir "$tmp/deb" "$tmp/deb/src" "$tmp/root"
while IFS= read -r -d '' file; do
	# Deleted, but not yet for git.
	[ ! -e "$file" ] || printf '%s\0' "$file"
done <"$tmp/files" | tar -c --null -T - | tar -x -C "$tmp/deb/src" || exit 99
cd "$tmp/deb/src" || exit 99

step "dpkg-buildpackage" env DEB_BUILD_OPTIONS=parallel=2 dpkg-buildpackage -us -uc
cp "$tmp/out" "$tmp/deb/log"
cd "$tmp/deb" || exit 99
if grep -q '^# PASS: *[1-9]' log && grep -qx '# FAIL: *0' log; then
	ok
else
	fail "the unit tests were not run"
fi
if grep -nE 'warning: (implicit|unused|.*\[-W)' log >"$tmp/out"; then
	fail "the compiler warned with the distribution's flags"
fi

root_too=()
[ "$(id -u)" -ne 0 ] || root_too=(--allow-root)
stock lintian "${root_too[@]}" --fail-on error,warning -I --pedantic ./*.changes
verdict "lintian"
# Of a lintian that knows more than the one this was written with.
sed 's/^/lintian: /' "$tmp/out"

triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
version=$(dpkg-parsechangelog -l src/debian/changelog -SVersion)
arch=$(dpkg-architecture -qDEB_HOST_ARCH)
same "the changelog's version" "$(sed -n 's/^AC_INIT(\[ptreclaim\], \[\(.*\)\])$/\1/p' "$src/configure.ac")" \
	"$version"

# contents PACKAGE EXPECTED: its files, compressed or not, without what each package has.
contents() {
	same "what is in $1" "$2" "$(
		dpkg-deb --fsys-tarfile "$1_${version}_$arch.deb" | tar -t |
			sed -e 's|^\./||' -e 's/\.gz$//' |
			grep -vE "(^|/)\$|^usr/share/doc/$1/(changelog|copyright)\$"
	)"
}
lib_dir=usr/lib/$triplet
contents libptreclaim0 "$lib_dir/libptreclaim.so.0
$lib_dir/libptreclaim.so.0.0.0
usr/share/doc/libptreclaim0/README.Debian"
contents libptreclaim-dev "$lib_dir/libptreclaim.so
$lib_dir/pkgconfig/ptreclaim.pc
usr/include/ptreclaim.h
$(pages 3 | sed 's|^|usr/share/man/|')
usr/share/ptreclaim/ptreclaim-stats.schema.json"
contents ptreclaim "$(
	cat <<-END
		usr/bin/ptreclaim
		usr/lib/tmpfiles.d/ptreclaim.conf
		usr/share/doc/ptreclaim/README.md
		usr/share/doc/ptreclaim/examples/ptreclaim.conf
	END
	pages 12456789 | sed 's|^|usr/share/man/|'
	cd "$src/doc" && find fleet -type f -printf 'usr/share/doc/ptreclaim/examples/%p\n' 2>/dev/null
)"

# Installing changes nothing: no file that a host's owner is to edit, and nothing is run but the usual.
for package in libptreclaim0 libptreclaim-dev ptreclaim; do
	dpkg-deb -x "${package}_${version}_$arch.deb" root-"$package" || exit 99
	cp -a root-"$package"/. "$tmp/root" || exit 99
	dpkg-deb -I "${package}_${version}_$arch.deb" >"$tmp/out"
	if grep -qw conffiles "$tmp/out"; then
		fail "$package has conffiles"
	else
		ok
	fi
done
if grep -v '^#' "$tmp/root/usr/share/doc/ptreclaim/examples/ptreclaim.conf" | grep -q .; then
	fail "the example configuration is not all comments"
else
	ok
fi

# As on a system that has them.
export PATH=$tmp/root/usr/bin:$PATH
export LD_LIBRARY_PATH=$tmp/root/$lib_dir LIBRARY_PATH=$tmp/root/$lib_dir
export C_INCLUDE_PATH=$tmp/root/usr/include PKG_CONFIG_PATH=$tmp/root/$lib_dir/pkgconfig
if [ ! -e "/$lib_dir/libptreclaim.so.0" ]; then
	# Which library it starts programs with.
	stock ptreclaim run -- true
	if grep -qF " /$lib_dir/libptreclaim.so.0:" "$tmp/err"; then
		ok
	else
		fail "the command looks for the library elsewhere"
	fi
fi
export PTRECLAIM_LIB=$tmp/root/$lib_dir/libptreclaim.so.0
if have gcc && have pkg-config && pkg-config --exists jemalloc; then
	cd src || exit 99
	stock debian/tests/smoke
	verdict "debian/tests/smoke"
	cd ..

	# Who links the library depends on it, and nobody else, whatever it calls.
	gcc -D_GNU_SOURCE src/tests/packages/client.c -o linked -lptreclaim -ljemalloc &&
		gcc -D_GNU_SOURCE "$src/tests/integration/arena.c" -o other || exit 99
	for program in linked other; do
		(cd src && dpkg-shlibdeps -O -Sdebian/libptreclaim0 ../$program) >"$tmp/out" 2>"$tmp/err"
		found=$(grep -c 'libptreclaim0 (>= 0\.1\.0)' "$tmp/out")
		wanted=$([ $program = linked ] && echo 1 || echo 0)
		if [ "$found" -eq "$wanted" ] && grep -q libc6 "$tmp/out"; then
			ok
		else
			fail "dependencies of a program that is $program"
		fi
	done
else
	skip "nothing to build a program with (packages gcc, pkg-config, libjemalloc-dev)"
fi
finish
