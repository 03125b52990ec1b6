/* SPDX-License-Identifier: BSD-2-Clause */
/* micro - the rooms of bench/micro: each registers its benches. */
#ifndef PTR_MICRO_H
#define PTR_MICRO_H

#include <stdint.h>

/* As an argument: all pages of a region. */
static inline int64_t micro_whole(void);

void micro_verbs(void);	  /* each verb by itself */
void micro_pairs(void);	  /* release and reuse, in threads */
void micro_flush(void);	  /* by what is pending */
void micro_backend(void); /* each way to free a table */
void micro_lookup(void);  /* address to record */
void micro_text(void);	  /* configuration, properties, reports */

#include "os.h"

static inline int64_t micro_whole(void)
{
	return (int64_t)(os_region_size / os_page_size);
}

#endif
