// SPDX-License-Identifier: BSD-2-Clause
#include "os.h"
__attribute__((constructor)) static void preload_init(void)
{
	os_init();
}
