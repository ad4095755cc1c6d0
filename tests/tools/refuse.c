/* SPDX-License-Identifier: MIT */
/*
 * refuse.c - runs a program to which a filter of system calls refuses some of them, as filters of
 * containers do.
 *
 *   refuse CALL PROGRAM [ARGUMENT]...     CALL: clone3 (ENOSYS) or pidfd_open (EPERM)
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int clone3 = argc > 1 && strcmp(argv[1], "clone3") == 0;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, clone3 ? SYS_clone3 : SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)(clone3 ? ENOSYS : EPERM)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof code / sizeof code[0], code };

	if (argc < 3)
		return 99;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		return 77; /* no such filters here */
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 99;
}
