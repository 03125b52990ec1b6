# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# tclib.sh - what the tests on gperftools' tcmalloc share; sourced instead of lib.sh.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for name in $(compgen -e TCMALLOC_) HEAPPROFILE; do
	unset "$name"
done

# file_of BUILD: full, minimal, debug, minimal_debug.
file_of() {
	if [ "$1" = full ]; then
		echo libtcmalloc.so.4
	else
		echo "libtcmalloc_$1.so.4"
	fi
}

# The builds looked at, and those of them that most is done with: all under check --full; else fewer,
# since the version matrix has them too.
# shellcheck disable=SC2034
if [ "${PTR_FULL:-no}" = yes ]; then
	all_builds=(minimal full minimal_debug debug) plain_builds=(minimal full)
else
	all_builds=(minimal full debug) plain_builds=(minimal)
fi
# What can be preloaded here.
builds=()
for name in "${all_builds[@]}"; do
	if [ -z "$(LD_PRELOAD=$(file_of "$name") /bin/true 2>&1)" ]; then
		builds+=("$name")
	fi
done

needs_tcmalloc() {
	[ ${#builds[@]} -gt 0 ] ||
		skip_all "no tcmalloc can be preloaded (packages libtcmalloc-minimal4, libgoogle-perftools4)"
	for name in "${all_builds[@]}"; do
		have_build "$name" || skip "$(file_of "$name") cannot be preloaded"
	done
}

have_build() {
	[[ " ${builds[*]} " = *" $1 "* ]]
}

# tc_stock BUILD [NAME=VALUE...] COMMAND...: on tcmalloc alone.
tc_stock() {
	local file
	file=$(file_of "$1")
	shift
	stock env LD_PRELOAD="$file" "$@"
}

# tc_under BUILD CONF [NAME=VALUE...] COMMAND...: the library first, as it should be.
tc_under() {
	local file conf
	file=$(file_of "$1")
	conf=$(conf_of "$2")
	shift 2
	stock env LD_PRELOAD="$lib:$file" PTRECLAIM_CONF="$conf" "$@"
}

# setting NAME: how soon tcmalloc gives back, as words for env, in $setting.
# shellcheck disable=SC2034 # read by the tests
setting=()
# shellcheck disable=SC2034
setting_of() {
	case $1 in
	aggressive) setting=(TCMALLOC_AGGRESSIVE_DECOMMIT=1) ;;
	rate*) setting=(TCMALLOC_AGGRESSIVE_DECOMMIT=0 "TCMALLOC_RELEASE_RATE=${1#rate}") ;;
	default) setting=(TCMALLOC_AGGRESSIVE_DECOMMIT=0) ;;
	esac
}
