// SPDX-License-Identifier: BSD-2-Clause
/*
 * refuse CALL ERROR [CALL ERROR]... -- COMMAND... - run a command to which the kernel refuses system
 * calls, as a container's seccomp filter would. CALL may be "psi": to open a file for reading and
 * writing by openat, which is how a pressure file is opened. Exit status 77: no filter can be
 * installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int error_of(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {
		{"EPERM", EPERM},   {"ENOSYS", ENOSYS}, {"ENOMEM", ENOMEM},
		{"EAGAIN", EAGAIN}, {"EINVAL", EINVAL},
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(name, errors[i].name))
			return errors[i].error;
	return 0;
}

static int add(scmp_filter_ctx ctx, const char *call, int error)
{
	uint32_t action = SCMP_ACT_ERRNO((uint32_t)error);
	int nr;

	if (!strcmp(call, "psi"))
		return seccomp_rule_add(ctx, action, SCMP_SYS(openat), 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, O_RDWR));
	nr = seccomp_syscall_resolve_name(call);
	if (nr == __NR_SCMP_ERROR)
		return -EINVAL;
	return seccomp_rule_add(ctx, action, nr, 0);
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int i = 1, r = ctx ? 0 : -ENOMEM;

	for (; !r && i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		int error = error_of(argv[i + 1]);

		r = error ? add(ctx, argv[i], error) : -EINVAL;
	}
	if (!r && (i + 1 >= argc || strcmp(argv[i], "--") != 0))
		r = -EINVAL;
	if (!r)
		r = seccomp_load(ctx);
	if (r) {
		(void)fprintf(stderr, "refuse: %s\n", strerror(-r));
		return r == -EINVAL ? 2 : 77;
	}
	seccomp_release(ctx);
	(void)execvp(argv[i + 1], argv + i + 1);
	perror("refuse");
	return 2;
}
