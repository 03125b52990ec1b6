// SPDX-License-Identifier: BSD-2-Clause
// client - the header in C++, in a program without jemalloc: there is nothing to serve.
#include <cerrno>
#include <cstdio>
#include <ptreclaim.h>

int main()
{
	ptreclaim_flush();
	std::printf("%s\n", ptreclaim_version());
	return ptreclaim_hook_arena(0) == ENOENT ? 0 : 5;
}
