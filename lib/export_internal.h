/* SPDX-License-Identifier: BSD-2-Clause */
/* export_internal - what the files of export share; nobody else includes it. */
#ifndef PTR_EXPORT_INTERNAL_H
#define PTR_EXPORT_INTERNAL_H

#include "export.h"
#include "stats.h"

extern const char *const export_hook_names[STAT_HOOKS];

static inline const char *export_known(const char *s)
{
	return s && *s ? s : "unknown";
}

/* s between quotes, clean: see export.c. */
void export_quoted(struct export_buf *b, const char *s);

#endif
