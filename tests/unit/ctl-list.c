// SPDX-License-Identifier: BSD-2-Clause
/* ctl-list - all properties, each as its entry in ptreclaim-properties(7) begins: see propdoc. */
#include <stdio.h>

#include "ctl.h"

int main(void)
{
	struct ctl_description d;

	for (size_t i = 0; ctl_describe_property(i, &d); i++)
		(void)printf(".BR %s%s \" (%s%s%s) %s\"\n", CTL_PREFIX, d.name, d.type_name,
			     *d.unit ? ", " : "", d.unit, d.access);
	return 0;
}
