/* SPDX-License-Identifier: BSD-2-Clause */
/* remote - the statistics page of another process: see lib/page.h. */
#ifndef PTR_REMOTE_H
#define PTR_REMOTE_H

#include "page.h"

#include <stdint.h>
#include <sys/types.h>

struct remote {
	pid_t pid;
	uintptr_t at; /* where the page is in that process */
};

/*
 * Find the page of process r->pid and read it. 0, or -errno: -ESRCH no such process, -EACCES or -EPERM
 * not allowed, -ENOENT the library is not there, -ENODATA it is there and has no page, -ESTALE the
 * only page is that of another process (a child after fork, in which nothing has happened yet);
 * -EPROTONOSUPPORT and -EAGAIN as page_read says.
 */
int remote_find(struct remote *r, struct page_image *image);

/* Read it again. -ENOMSG, -EFAULT: it is not there any more. */
int remote_read(const struct remote *r, struct page_image *image);

#endif
